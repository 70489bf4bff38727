//! A real editor: headless Neovim opens a file, edits it, hovers, goes to a definition, formats.

use std::fs;
use std::process::{Command, Stdio};

/// Ends with an exit status, so that a mistake in the script is one too.
const SCRIPT: &str = r#"
local function fail(text) io.stderr:write(text .. "\n"); vim.cmd("cquit 1") end
local function wait(what, condition)
  if not vim.wait(60000, condition, 20) then fail("waited in vain for " .. what) end
end
vim.opt.swapfile = false
vim.cmd("edit " .. vim.env.TFM_FILE)
vim.bo.filetype = "tfm"
local buffer = vim.api.nvim_get_current_buf()
local published = 0
local handler = vim.lsp.handlers["textDocument/publishDiagnostics"]
vim.lsp.handlers["textDocument/publishDiagnostics"] = function(...)
  published = published + 1
  return handler(...)
end
local client = vim.lsp.start_client({
  name = "tfm",
  cmd = { vim.env.TFM_BINARY, "lsp" },
  root_dir = vim.fn.getcwd(),
})
if not client then fail("the server does not start") end
vim.lsp.buf_attach_client(buffer, client)
local function count() return #vim.diagnostic.get(buffer) end
local function line(n) return vim.api.nvim_buf_get_lines(buffer, n - 1, n, false)[1] end
local function ask(method, row, column)
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    position = { line = row - 1, character = column },
    options = { tabSize = 2, insertSpaces = true },
  }
  local answers = vim.lsp.buf_request_sync(buffer, method, params, 60000) or {}
  for _, answer in pairs(answers) do
    local wrong = answer.error or answer.err
    if wrong then fail(method .. ": " .. vim.inspect(wrong)) end
    return answer.result
  end
end

wait("the first diagnostics", function() return published > 0 and count() == 0 end)
-- A mistake appears, and goes.
vim.api.nvim_buf_set_lines(buffer, 5, 6, false, { "  image |> flatten |> Dens(10)" })
wait("a mistake", function() return count() == 1 end)
local said = vim.diagnostic.get(buffer)[1]
if said.lnum ~= 5 or not said.message:find("Dens") then fail(vim.inspect(said)) end
vim.api.nvim_buf_set_lines(buffer, 5, 6, false, { "  image|>flatten |>   Dense(10)" })
wait("no mistake", function() return count() == 0 end)
-- Hover tells the shape.
local hover = ask("textDocument/hover", 6, 23)
if not hover or not hover.contents.value:find("f32%[B, 10%]") then fail("hover: " .. vim.inspect(hover)) end
-- The definition lies in the library, which opens.
local found = ask("textDocument/definition", 6, 23)
if not found then fail("no definition") end
local path = vim.uri_to_fname(found.uri)
if not path:find("std/layers/dense.tfm$") or vim.fn.filereadable(path) ~= 1 then fail(path) end
-- Formatting mends the line.
local edits = ask("textDocument/formatting", 1, 0)
vim.lsp.util.apply_text_edits(edits, buffer, "utf-16")
if line(6) ~= "  image |> flatten |> Dense(10)" then fail("formatted: " .. line(6)) end
print("all is well")
vim.lsp.stop_client(client)
vim.cmd("qall!")
"#;

const FILE: &str = "\
import std.layers.Dense

data digits = drawn_digits()

model Net(image: f32[B, 1, 28, 28]) -> f32[B, 10] {
  image |> flatten |> Dense(10)
}
";

#[test]
fn neovim() {
    let version = Command::new("nvim").arg("--version").output();
    let Ok(version) = version else {
        println!("skipped: nvim is not installed");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("net.tfm"), FILE).unwrap();
    fs::write(dir.path().join("session.lua"), SCRIPT).unwrap();
    let output = Command::new("nvim")
        .args(["--headless", "--clean", "-n", "-c", "luafile session.lua"])
        .current_dir(dir.path())
        .env("TFM_FILE", dir.path().join("net.tfm"))
        .env("TFM_BINARY", env!("CARGO_BIN_EXE_tfm"))
        .env("XDG_CACHE_HOME", dir.path().join("cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert!(output.status.success() && said.contains("all is well"), "{version}\n{said}");
}
