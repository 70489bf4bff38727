//! Runs the tests and examples of the library on a device.

use tfm::testing::{Form, failures};
use tfm_lang::check::testing::Test;
use tfm_lang::source::Sources;

/// What does not hold, once as the body is written and once simplified, a line each.
pub fn run_test(sources: &Sources, test: &Test) -> Vec<String> {
    let name = test.example.as_ref().map_or_else(|| test.name.clone(), |text| format!("{}: {text}", test.name));
    let of = |form| {
        let found = failures(test, form).into_iter();
        let name = &name;
        found.map(move |d| format!("{name}: {form:?}: {}: {:?}", crate::one_line(sources, &d), d.notes))
    };
    of(Form::Written).chain(of(Form::Simplified)).collect()
}
