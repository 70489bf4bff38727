//! Every lint, a file each; a row here is all that another one needs.

use super::Lint;

/// Modules and the list of their declarations, in the order of their codes.
macro_rules! lints {
    ($($name:ident,)*) => {
        $(mod $name;)*

        /// Every lint, in the order of the codes.
        pub static ALL: &[&Lint] = &[$(&$name::LINT),*];
    };
}

lints! {
    probabilities_as_logits,
    logits_as_probabilities,
    double_softmax,
    needless_log_softmax,
    softmax_over_batch,
    one_class,
    head_wider_than_classes,
    activation_on_logits,
    bounded_prediction,
    classes_as_numbers,
    exclusive_classes,
    loss_not_averaged,
    averaged_twice,
    metric_mismatch,
    zero_gradient,
    log_of_zero,
    sqrt_at_zero,
    division_by_zero,
    exp_overflow,
    unstable_form,
    half_sum,
    constant_lost,
    integer_division,
    integer_overflow,
    linear_after_linear,
    repeated_activation,
    bias_before_norm,
    dropout_before_norm,
    constant_weights,
    init_scale,
    dropout_rate,
    dropout_on_logits,
    batch_norm_of_one,
    last_batch_of_one,
    saturating_stack,
    skipped_pixels,
    sees_the_future,
    unused_result,
    recurrent_unclipped,
    learning_rate,
    schedule_past_run,
    decay_on_biases,
    decay_through_averages,
    no_evaluation,
    evaluates_training_data,
    wrong_direction,
    never_happens,
    batch_exceeds_data,
    too_few_steps,
    memory,
    large_input,
    unused_column,
    split_unshuffled,
    test_in_training,
    unscaled_column,
    category_as_number,
    target_in_input,
    random_prediction,
    unused_import,
    unused_name,
    unused_dimension,
    unused_declaration,
    shadowed_name,
    unused_allow,
    unreasoned_allow,
    needless_conversion,
}

pub(super) use unreasoned_allow::LINT as UNREASONED_ALLOW;
pub(super) use unused_allow::LINT as UNUSED_ALLOW;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_rise_and_every_declaration_is_whole() {
        assert!(ALL.is_sorted_by(|a, b| a.code < b.code));
        for l in ALL {
            assert!(l.code.len() == 5 && l.code.starts_with("L0"), "{}", l.code);
            assert!(!l.title.ends_with('.') && l.why.ends_with(['.', ')']) && l.why.len() > 60, "{}", l.name);
            assert!(!l.bad.is_empty() && !l.good.is_empty(), "{}", l.name);
            assert!(l.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", l.name);
        }
    }
}
