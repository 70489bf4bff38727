// The client: it starts `tfm lsp` and leaves the rest to it.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = vscode.workspace.getConfiguration("tfm").get("path", "tfm");
  const server = { command, args: ["lsp"] };
  client = new LanguageClient("tfm", "Tensorform", server, {
    documentSelector: [{ language: "tfm" }],
    synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.tfm") },
  });
  try {
    await client.start();
  } catch (error) {
    const message = `\`${command} lsp\` does not start: ${error.message}. Install tfm, or set "tfm.path".`;
    const settings = "Open settings";
    if ((await vscode.window.showErrorMessage(message, settings)) === settings) {
      vscode.commands.executeCommand("workbench.action.openSettings", "tfm.path");
    }
  }
}

async function stop() {
  await client?.stop().catch(() => {});
  client = undefined;
}

async function restart() {
  await stop();
  await start();
}

exports.activate = async (context) => {
  context.subscriptions.push(
    vscode.commands.registerCommand("tfm.restart", restart),
    vscode.workspace.onDidChangeConfiguration((e) => e.affectsConfiguration("tfm.path") && restart()),
  );
  await start();
};

exports.deactivate = stop;
