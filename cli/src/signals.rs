//! Ctrl-C and SIGTERM: the first asks the run to save and stop, the second ends it at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// Starts to listen. The number that is returned becomes that of the signal when one comes.
pub fn listen() -> std::io::Result<Arc<AtomicUsize>> {
    let (asked, number) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds `asked` false and sets it, the second ends the process.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
        signal_hook::flag::register_usize(signal, number.clone(), signal as usize)?;
    }
    Ok(number)
}
