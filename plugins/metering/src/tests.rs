use super::*;

fn asked(principal: &str) -> Asked {
    Asked {
        principal: Some(principal.into()),
        team: None,
        model: "m".into(),
        listed: true,
    }
}

#[test]
fn a_key_fits_whatever_names_are_in_it() {
    let who = Who {
        by: vec![By::Principal, By::Team, By::Model],
        ..Who::default()
    };
    let long = "x/".repeat(500);
    let asked = Asked {
        principal: Some(long.clone()),
        team: Some(long.clone()),
        model: long,
        listed: true,
    };
    let key = who.key(&"n".repeat(40), &asked);
    assert!(key.len() <= 256, "{}", key.len());
    assert!(!key.contains("x/"), "{key}");
}

#[test]
fn who_has_no_name_is_told_from_who_has_an_empty_one() {
    let who = Who {
        by: vec![By::Principal],
        ..Who::default()
    };
    assert_eq!(who.key("a", &Asked::default()), "a/p");
    assert_eq!(who.key("a", &asked("")), "a/p=");
    assert_eq!(who.key("a", &asked("ann")), "a/p=ann");
}

#[test]
fn a_list_of_names_leaves_out_all_others() {
    let who = Who {
        principals: vec!["ann".into()],
        models: vec!["m".into()],
        ..Who::default()
    };
    assert!(who.concerns(&asked("ann")));
    assert!(!who.concerns(&asked("bob")) && !who.concerns(&Asked::default()));
}

#[test]
fn models_that_nobody_listed_share_a_sum() {
    let by_model = |models: &[&str]| Who {
        by: vec![By::Model],
        models: models.iter().map(|name| (*name).into()).collect(),
        ..Who::default()
    };
    let made_up = Asked {
        listed: false,
        ..asked("ann")
    };
    assert_eq!(by_model(&[]).key("a", &asked("ann")), "a/m=m");
    assert_eq!(by_model(&[]).key("a", &made_up), "a/m");
    assert_eq!(by_model(&["m"]).key("a", &made_up), "a/m=m");
}
