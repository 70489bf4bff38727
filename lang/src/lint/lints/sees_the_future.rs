//! `sees_the_future`: a language model that reads what it is to guess.

use crate::check::trace::Given;
use crate::diagnostic::Diagnostic;
use crate::lint::losses::{Scored, scored};
use crate::lint::pass::Pass;
use crate::lint::{Context, Fixes, Group, Level, Lint, finding};
use crate::model::{Op, ValueId};

/// The declaration.
pub const LINT: Lint = Lint {
    code: "L0313",
    name: "sees_the_future",
    group: Group::Correctness,
    level: Level::Deny,
    title: "a language model that reads what it is to guess",
    why: "\
The target of each position is the next token, and attention without `causal: true` lets each position look at \
that token itself. The loss falls to nearly 0, and the model cannot write a word.",
    bad: &[
        "\
data words = text(\"input.txt\", tokens: chars(65), block: 64) |> split(0.9)

train lm on words.train {
  let h = Embedding(65, 32)(tokens) |> LearnedPositions(64) |> EncoderBlock(4, 64)
  minimize cross_entropy(h |> Dense(65), next)
  optimizer: Adam() |> clip_norm(1.0)
  batch: 16
  steps: 1000
  every 100 steps { evaluate words.test }
}
",
        "\
data words = text(\"input.txt\", tokens: bytes, block: 64) |> split(0.9)

train lm on words.train {
  let e = Embedding(256, 32)(tokens)
  let h = e + Attention(4)(e)
  minimize cross_entropy(h |> Dense(256), next)
  optimizer: Adam()
  batch: 16
  steps: 1000
  every 100 steps { evaluate words.test }
}
",
        "\
data words = text(\"input.txt\", tokens: chars(65), block: 64) |> split(0.9)

train lm on words.train {
  let h = Embedding(65, 32)(tokens) |> Bidirectional(Gru, 32, sequences: true)
  minimize cross_entropy(h |> Dense(65), next)
  optimizer: Adam() |> clip_norm(1.0)
  batch: 16
  steps: 1000
  every 100 steps { evaluate words.test }
}
",
    ],
    good: &["\
data words = text(\"input.txt\", tokens: chars(65), block: 64) |> split(0.9)

train lm on words.train {
  let h = Embedding(65, 32)(tokens) |> LearnedPositions(64) |> EncoderBlock(4, 64, causal: true)
  minimize cross_entropy(h |> Dense(65), next)
  optimizer: Adam() |> clip_norm(1.0)
  batch: 16
  steps: 1000
  every 100 steps { evaluate words.test }
}
"],
    fix: Fixes::None,
    check,
};

fn check(cx: &Context) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for pass in cx.training() {
        let text = pass.train.and_then(|(t, _)| cx.data(&t.data)).is_some_and(|spec| spec.source == "text");
        if !text {
            continue;
        }
        let guesses = |s: &&Scored| s.target.is_some_and(|t| pass.fact(t).fields.contains("next"));
        for s in scored(pass).iter().filter(guesses) {
            let needed = pass.needed(&[s.predicted]);
            for v in written_attention(pass, &needed) {
                let d = finding(
                    pass.node(v).span,
                    "each position takes from all others, the token that it is to guess among them",
                )
                .label(s.of.span, "the target of a position is the token after it")
                .help("mask the scores before `softmax`: `mask_future(scores)`");
                out.push(d);
            }
            for a in pass.outermost() {
                let looks = match &*a.name {
                    "Attention" | "EncoderBlock" => matches!(a.given("causal"), Some(Given::Bool(false))),
                    "Bidirectional" => true,
                    "Lstm" | "Gru" | "SimpleRnn" => matches!(a.given("backwards"), Some(Given::Bool(true))),
                    _ => false,
                };
                let used = a.results.iter().any(|r| needed[r.0 as usize]);
                let tokens = a.inputs.iter().any(|(_, x)| pass.fact(*x).fields.contains("tokens"));
                if looks && used && tokens {
                    let help = if a.given("causal").is_some() {
                        "write `causal: true`"
                    } else {
                        "read in one direction only, forwards"
                    };
                    let d =
                        finding(a.span, format!("`{}` lets each position see the token that it is to guess", a.name))
                            .label(s.of.span, "the target of a position is the token after it")
                            .help(help);
                    out.push(d);
                }
            }
        }
    }
    out
}

/// Products of a distribution over positions, without a mask by position, with what the tokens gave: attention written out.
fn written_attention(pass: &Pass, needed: &[bool]) -> Vec<ValueId> {
    let length = pass.values().find_map(|v| match &pass.node(v).op {
        Op::Input(name) if &**name == "tokens" => pass.node(v).ty.shape.last().map(|a| a.dim.clone()),
        _ => None,
    });
    let looks = |v: &ValueId| {
        let weights = pass.node(*v).args[0];
        let fact = pass.fact(weights);
        let rank = pass.node(weights).ty.rank();
        let over_time = fact.is_distribution()
            && fact.sums.as_ref().is_some_and(|s| s.axis + 1 == rank)
            && pass.node(weights).ty.shape.last().map(|a| &a.dim) == length.as_ref();
        over_time && fact.fields.contains("tokens") && !masked(pass, weights)
    };
    pass.written("matmul").filter(|v| needed[v.0 as usize]).filter(looks).collect()
}

/// Whether a comparison of positions is among what a value is made from.
fn masked(pass: &Pass, v: ValueId) -> bool {
    let behind = pass.needed(&[v]);
    let compares = |v: &ValueId| {
        let kind = matches!(pass.primitive(*v), Some("greater" | "greater_equal" | "less" | "less_equal"));
        kind && behind[v.0 as usize] && {
            let sides = pass.needed(&[*v]);
            pass.values().any(|u| sides[u.0 as usize] && pass.is(u, "iota")) && !pass.fact(*v).random
        }
    };
    pass.values().any(|v| compares(&v))
}
