//! What a user sees when tfm itself is at fault.

use std::panic::PanicHookInfo;

/// Makes every panic a report in plain words.
pub fn install() {
    std::panic::set_hook(Box::new(|info| crate::output::complain(&report(info))));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
    let command: Vec<String> = std::env::args().collect();
    format!(
        "error: this is a mistake in tfm, not in your file\n  \
         Please report it at {repository}/issues with these lines, and the file if you can:\n  \
         tfm {version} on {os} {arch}: {text}\n  \
         at {place}\n  \
         by {command}",
        repository = env!("CARGO_PKG_REPOSITORY"),
        version = env!("CARGO_PKG_VERSION"),
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH,
        command = command.join(" "),
    )
}
