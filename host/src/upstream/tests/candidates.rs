//! Which targets take a model, and in which order they are tried.

use super::super::*;
use super::{aliased, targets};

const FOUR: &str = "{id: big, provider: 'cerebras:chat:big'}, {id: any, provider: cerebras}, \
    {id: gpt, provider: openai, model: gpt}, {id: local, provider: vllm, base_url: 'http://127.0.0.1:1/v1'}";

fn order(targets: &Targets, model: &str) -> Result<Vec<String>, NoSuchModel> {
    let candidates = targets.candidates(model)?;
    Ok(shown(&candidates))
}

fn shown(candidates: &Candidates) -> Vec<String> {
    let show = |candidate: &Candidate| format!("{}:{}", candidate.target().id(), candidate.model());
    candidates.iter().map(show).collect()
}

#[test]
fn the_models_own_targets_come_first_and_the_others_after() {
    let targets = targets(FOUR);
    assert_eq!(
        order(&targets, "big").unwrap(),
        ["big:big", "any:big", "local:big", "gpt:gpt"]
    );
    assert_eq!(
        order(&targets, "gpt").unwrap(),
        ["any:gpt", "gpt:gpt", "local:gpt", "big:big"]
    );
    assert_eq!(
        order(&targets, "new").unwrap(),
        ["any:new", "local:new", "big:big", "gpt:gpt"]
    );
}

#[test]
fn a_prefix_picks_the_provider_and_is_stripped() {
    let targets = targets(FOUR);
    assert_eq!(
        order(&targets, "cerebras/big").unwrap(),
        ["big:big", "any:big", "gpt:gpt"]
    );
    assert_eq!(
        order(&targets, "openai/gpt").unwrap(),
        ["gpt:gpt", "big:big"]
    );
    order(&targets, "openai/big").unwrap_err();
    assert_eq!(
        order(&targets, "cerebras/org/m").unwrap(),
        ["any:org/m", "big:big", "gpt:gpt"]
    );
    // Nobody's provider: part of the model's name.
    assert_eq!(
        order(&targets, "org/m").unwrap(),
        ["any:org/m", "local:org/m", "big:big", "gpt:gpt"]
    );
}

#[test]
fn an_alias_asks_for_the_model_that_it_stands_for() {
    let targets = aliased(FOUR, "large: big, o: openai/gpt, '70b': cerebras/org/m");
    let as_big = ["big:big", "any:big", "local:big", "gpt:gpt"];
    assert_eq!(order(&targets, "large").unwrap(), as_big);
    assert_eq!(order(&targets, "big").unwrap(), as_big);
    // With a provider in front it asks that provider, and one in front of what it stands for is the one that is meant.
    let of_cerebras = ["big:big", "any:big", "gpt:gpt"];
    assert_eq!(order(&targets, "cerebras/large").unwrap(), of_cerebras);
    for model in ["o", "cerebras/o"] {
        assert_eq!(order(&targets, model).unwrap(), ["gpt:gpt", "big:big"]);
    }
    assert_eq!(
        order(&targets, "70b").unwrap(),
        ["any:org/m", "big:big", "gpt:gpt"]
    );
    // An error names the model as it was asked for.
    let none = aliased(FOUR, "x: openai/big");
    assert_eq!(order(&none, "x").unwrap_err().model, "x");
}

#[test]
fn a_pinned_name_with_a_slash_is_one_name() {
    let targets = targets(
        "{id: a, provider: vllm, model: vllm/m, base_url: 'http://127.0.0.1:1/v1'}, {id: b, provider: vllm, model: m, base_url: 'http://127.0.0.1:1/v1'}",
    );
    assert_eq!(order(&targets, "vllm/m").unwrap(), ["a:vllm/m", "b:m"]);
}

#[test]
fn a_model_that_nobody_takes_has_no_candidate() {
    let targets = targets(
        "{id: a, provider: 'cerebras:chat:m'}, {id: b, provider: openai, secret_key_ref: {env: UNSET}}",
    );
    assert_eq!(order(&targets, "m").unwrap(), ["a:m"]);
    for model in ["n", "", "cerebras/", "cerebras/n", "openai/m"] {
        assert_eq!(order(&targets, model).unwrap_err().model, model);
    }
    assert_eq!(targets.warnings().len(), 1);
}

#[test]
fn a_restriction_chooses_and_orders() {
    let targets = targets(FOUR);
    let mut candidates = targets.candidates("big").unwrap();
    candidates
        .restrict(&["gpt", "nobody", "any", "gpt"])
        .unwrap();
    assert_eq!(shown(&candidates), ["gpt:gpt", "any:big"]);
    assert_eq!(candidates.restrict(&["big"]), Err(NoneLeft));
    assert_eq!(candidates.restrict(&[] as &[&str]), Err(NoneLeft));
    assert_eq!(shown(&candidates), ["gpt:gpt", "any:big"]);
}
