//! What is told of models: by one target as it comes, by several as one list.

use super::*;
use crate::api::{Memory, Party, Share};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};

fn list(ids: &[&str]) -> String {
    let data: Vec<Value> = ids.iter().map(|id| json!({"id": id, "by": ids})).collect();
    answer(
        "200 OK",
        "",
        &json!({"object": "list", "data": data}).to_string(),
    )
}

/// Ids, in their order.
fn ids(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap();
    assert_eq!(list["object"], "list");
    let data = list["data"].as_array().unwrap().iter();
    data.map(|model| model["id"].as_str().unwrap().to_owned())
        .collect()
}

fn any(id: &str, base: &str) -> String {
    format!("{{id: {id}, provider: x, base_url: \"{base}\", timeouts: {{first_byte: 10s}}}}")
}

fn pinned(id: &str, model: &str, base: &str) -> String {
    format!("{{id: {id}, provider: y, model: {model}, base_url: \"{base}\"}}")
}

/// The first line of the request that comes next.
async fn line(server: &mut Server) -> String {
    let head = soon(server.requests.recv()).await.unwrap().head;
    head.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_single_target_is_passed_on_byte_for_byte() {
    let body = "{\"data\": [ {\"id\":\"a\"},{\"id\":\"a\"}, 7 ],\n\"odd\":1}";
    let mut server = Server::start(&[&answer("200 OK", "inference-id: i\r\n", body)]).await;
    let asked = ModelsAsked {
        catalog: Catalog::Plain,
        id: None,
        query: Some("format=openrouter"),
    };
    let targets = one(&server.base);
    let answer = targets
        .models(asked, &Caller::anonymous(), &mut Charge::unbound())
        .await
        .unwrap();
    assert_eq!(answer.body(), body);
    assert_eq!(answer.headers()["inference-id"], "i");
    assert_eq!(
        line(&mut server).await,
        "get /v1/models?format=openrouter http/1.1"
    );
}

#[tokio::test]
async fn what_several_targets_have_is_one_list_and_each_model_stands_in_it_once() {
    let mut first = Server::start(&[&list(&["a", "b"])]).await;
    let mut second = Server::start(&[&list(&["c", "b"])]).await;
    let targets = targets(&format!(
        "{}, {}",
        any("one", &first.base),
        any("two", &second.base)
    ));
    let told = shown(&targets, Catalog::Plain, None, Some("format=default"))
        .await
        .unwrap();
    assert_eq!(ids(&told), ["a", "b", "c"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        told["data"][1]["by"],
        json!(["a", "b"]),
        "the first target's stands"
    );
    for server in [&mut first, &mut second] {
        assert_eq!(line(server).await, "get /v1/models?format=default http/1.1");
        server.requests.try_recv().unwrap_err();
    }
}

#[tokio::test]
async fn all_targets_are_asked_at_the_same_time() {
    // None of them ever answers, and yet each is asked.
    let mut servers = [
        Server::start(&[]).await,
        Server::start(&[]).await,
        Server::start(&[]).await,
    ];
    let list: Vec<String> = servers
        .iter()
        .enumerate()
        .map(|(number, server)| any(&format!("t{number}"), &server.base))
        .collect();
    let targets = targets(&list.join(", "));
    let asking = tokio::spawn(async move { listed(&targets, None).await });
    for server in &mut servers {
        assert_eq!(line(server).await, "get /v1/models http/1.1");
    }
    asking.abort();
    for server in &mut servers {
        soon(server.closed.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_target_that_fails_is_left_out_and_the_first_is_heard_where_all_fail() {
    let body = r#"{"message":"wrong key","type":"t","param":"","code":"wrong_api_key"}"#;
    let too_large = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        (4 << 20) + 1
    );
    for fails in [
        answer("500 X", "", "{}"),
        answer("401 X", "", body),
        answer("200 OK", "", "<html>"),
        answer("200 OK", "", "{\"models\":[]}"),
        answer("200 OK", "", r#"{"error":{"message":"quota"}}"#),
        too_large,
        "no HTTP\r\n\r\n".to_owned(),
    ] {
        let good = list(&["a"]);
        let (bad, well) = (
            Server::start(&[&fails]).await,
            Server::start(&[&good]).await,
        );
        let two = format!("{}, {}", any("bad", &bad.base), any("well", &well.base));
        assert_eq!(
            ids(&listed(&targets(&two), None).await.unwrap()),
            ["a"],
            "{fails}"
        );
    }
    let denied = Server::start(&[&answer("401 X", "", body)]).await;
    let broken = Server::start(&[&answer("500 X", "", "{}")]).await;
    let two = format!(
        "{}, {}",
        any("denied", &denied.base),
        any("broken", &broken.base)
    );
    let error = listed(&targets(&two), None).await.unwrap_err();
    assert_eq!(
        (error.status.as_u16(), &*error.code),
        (502, "upstream_credentials")
    );
}

#[tokio::test]
async fn a_target_that_is_too_slow_is_left_out() {
    let slow = Server::start(&[]).await;
    let well = Server::start(&[&list(&["a"])]).await;
    let targets = targets(&format!(
        "{{id: slow, provider: x, base_url: \"{}\", timeouts: {{first_byte: 20ms}}}}, {}",
        slow.base,
        any("well", &well.base)
    ));
    assert_eq!(ids(&soon(listed(&targets, None)).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn of_a_target_that_is_pinned_to_a_model_that_one_is_listed() {
    let all = list(&["a", "b", "c"]);
    let (one, two, any_model) = (
        Server::start(&[&all]).await,
        Server::start(&[&all]).await,
        Server::start(&[&list(&["d"])]).await,
    );
    let three = format!(
        "{}, {}, {}",
        pinned("one", "b", &one.base),
        // It serves what it doesn't list.
        pinned("two", "hidden", &two.base),
        any("three", &any_model.base)
    );
    let told = listed(&targets(&three), None).await.unwrap();
    assert_eq!(ids(&told), ["b", "hidden", "d"]);
    let alone = Server::start(&[&all]).await;
    let told = listed(&targets(&pinned("one", "c", &alone.base)), None).await;
    assert_eq!(ids(&told.unwrap()), ["c"]);
}

#[tokio::test]
async fn aliases_are_listed_beside_what_they_stand_for_and_hide_what_they_are_called_like() {
    let all = list(&["a", "b", "new"]);
    let server = Server::start(&[&all]).await;
    let aliases = "old: new, b: a, gone: nowhere";
    let told = listed(&aliased(&any("t", &server.base), aliases), None)
        .await
        .unwrap();
    assert_eq!(ids(&told), ["a", "b", "new", "old"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["data"].as_array().unwrap().len(), 4);
    // In a form that has the provider in front of ids, an alias has it too.
    let body = r#"{"data":[{"id":"cerebras/new","name":"New"}]}"#;
    let server = Server::start(&[&answer("200 OK", "", body)]).await;
    let target = format!(
        "{{id: t, provider: cerebras, base_url: \"{}\"}}",
        server.base
    );
    let told = listed(&aliased(&target, "old: new"), None).await.unwrap();
    let expected =
        r#"{"data":[{"id":"cerebras/new","name":"New"},{"id":"cerebras/old","name":"New"}]}"#;
    assert_eq!(told, expected);
}

#[tokio::test]
async fn lists_take_of_the_memory_what_they_cost_and_give_it_back() {
    let (used, refused) = (Gauge::default(), Counter::default());
    let memory = Memory::new(1 << 20, Share(100), used.clone(), refused.clone());
    let long = "x".repeat(200 << 10);
    for (id, expected) in [("small", None), (&*long, Some(503))] {
        let first = Server::start(&[&list(&[id])]).await;
        let second = Server::start(&[&list(&[id])]).await;
        let two = format!("{}, {}", any("one", &first.base), any("two", &second.base));
        let targets = targets(&two);
        let mut charge = memory.charge(&Party::Anyone);
        let asked = ModelsAsked {
            catalog: Catalog::Plain,
            id: None,
            query: None,
        };
        let told = targets
            .models(asked, &Caller::anonymous(), &mut charge)
            .await;
        assert_eq!(told.err().map(|error| error.status.as_u16()), expected);
        drop(charge);
        assert_eq!(used.get(), 0);
    }
    assert!(refused.get() > 0);
}

#[tokio::test]
async fn one_model_is_asked_of_the_targets_that_take_it_and_of_no_other() {
    let (yes, no) = (
        answer("200 OK", "", "{\"id\":\"m\"}"),
        answer(
            "404 X",
            "",
            r#"{"message":"none","code":"model_not_found"}"#,
        ),
    );
    let mut first = Server::start(&[&no, &no]).await;
    let mut second = Server::start(&[&yes]).await;
    let mut third = Server::start(&[]).await;
    let targets = aliased(
        &format!(
            "{}, {}, {}",
            pinned("a", "org/n", &first.base),
            pinned("b", "org/n", &second.base),
            pinned("c", "other", &third.base)
        ),
        "old: org/n",
    );
    assert_eq!(
        listed(&targets, Some("y/org/n")).await.unwrap(),
        "{\"id\":\"m\"}"
    );
    for server in [&mut first, &mut second] {
        assert_eq!(line(server).await, "get /v1/models/org%2fn http/1.1");
    }
    for unknown in ["unknown", "x/org/n", "org", "n", ".\t."] {
        let error = listed(&targets, Some(unknown)).await.unwrap_err();
        let code = (error.status.as_u16(), &*error.code);
        assert_eq!(code, (404, "model_not_found"), "{unknown}");
    }
    for server in [&mut first, &mut second, &mut third] {
        server.requests.try_recv().unwrap_err();
    }
}

#[tokio::test]
async fn one_model_is_not_said_to_be_missing_while_a_target_that_may_have_it_fails() {
    let none = answer(
        "404 X",
        "",
        r#"{"message":"none","code":"model_not_found"}"#,
    );
    let first = Server::start(&[&none]).await;
    let second = Server::start(&[&answer("503 X", "", "{}")]).await;
    let two = format!("{}, {}", any("one", &first.base), any("two", &second.base));
    let error = listed(&targets(&two), Some("m")).await.unwrap_err();
    assert_eq!(error.status.as_u16(), 503);
}

#[tokio::test]
async fn an_alias_is_shown_under_its_name() {
    let entry = answer("200 OK", "", r#"{"object":"model","id":"new","x":1.0}"#);
    let mut server = Server::start(&[&entry, &entry]).await;
    let target = format!(
        "{{id: t, provider: cerebras, base_url: \"{}\"}}",
        server.base
    );
    let targets = aliased(&target, "old: new");
    for asked in ["old", "cerebras/old"] {
        let told = listed(&targets, Some(asked)).await.unwrap();
        assert_eq!(told, r#"{"object":"model","id":"old","x":1.0}"#);
        assert_eq!(line(&mut server).await, "get /v1/models/new http/1.1");
    }
}

#[tokio::test]
async fn the_public_catalog_is_asked_for_where_cerebras_has_it() {
    let mut server = Server::start(&[&list(&["a"]), &answer("200 OK", "", "{}")]).await;
    let targets = one(&server.base);
    let all = shown(&targets, Catalog::Public, None, Some("format=huggingface"));
    assert_eq!(ids(&all.await.unwrap()), ["a"]);
    let expected = "get /public/v1/models?format=huggingface http/1.1";
    assert_eq!(line(&mut server).await, expected);
    shown(&targets, Catalog::Public, Some("a"), None)
        .await
        .unwrap();
    assert_eq!(line(&mut server).await, "get /public/v1/models/a http/1.1");
}

#[tokio::test]
async fn anthropics_clients_are_shown_pages_of_all_targets_models() {
    let mut first = Server::start(&[&list(&["a", "b"])]).await;
    let second = Server::start(&[&list(&["c"])]).await;
    let targets = targets(&format!(
        "{}, {}",
        any("one", &first.base),
        any("two", &second.base)
    ));
    let page = shown(&targets, Catalog::Anthropic, None, Some("limit=2"))
        .await
        .unwrap();
    let page: Value = serde_json::from_str(&page).unwrap();
    let model = |id| json!({"type": "model", "id": id, "display_name": id, "created_at": "1970-01-01T00:00:00Z"});
    let expected = json!({"data": [model("a"), model("b")], "has_more": true, "first_id": "a", "last_id": "b"});
    assert_eq!(page, expected);
    // What it says in its own words goes no further.
    assert_eq!(line(&mut first).await, "get /v1/models http/1.1");

    let mut server = Server::start(&[&answer("200 OK", "", "{\"id\":\"m\",\"created\":0}")]).await;
    let told = shown(
        &one(&server.base),
        Catalog::Anthropic,
        Some("m"),
        Some("beta=true"),
    )
    .await;
    assert_eq!(
        serde_json::from_str::<Value>(&told.unwrap()).unwrap(),
        model("m")
    );
    assert_eq!(line(&mut server).await, "get /v1/models/m http/1.1");
}

#[tokio::test]
async fn a_name_that_is_a_path_is_asked_of_nobody() {
    let mut server = Server::start(&[]).await;
    let error = listed(&one(&server.base), Some(".\t.")).await.unwrap_err();
    assert_eq!(
        (error.status.as_u16(), &*error.code),
        (404, "model_not_found")
    );
    assert!(server.requests.try_recv().is_err(), "it was asked");
}

#[tokio::test]
async fn a_client_is_shown_the_models_that_its_key_is_for_and_no_others() {
    let caller = Caller {
        models: Some(["llama*".to_owned(), "quick".to_owned()].into()),
        ..Caller::named("ann")
    };
    let ask = async |targets: &Targets, catalog, id| {
        let query = None;
        let asked = ModelsAsked { catalog, id, query };
        let told = targets.models(asked, &caller, &mut Charge::unbound()).await;
        told.map(|answer| String::from_utf8(answer.into_body().into()).unwrap())
    };
    // Also where there is one target, whose list goes on as it is to others.
    let all = list(&["llama-a", "gpt", "llama-b"]);
    let server = Server::start(&[&all, &all, &all]).await;
    let targets = one(&server.base);
    let told = ask(&targets, Catalog::Plain, None).await.unwrap();
    assert_eq!(ids(&told), ["llama-a", "llama-b"]);
    let told = ask(&targets, Catalog::Anthropic, None).await.unwrap();
    assert!(told.contains("llama-b") && !told.contains("gpt"), "{told}");
    let told = listed(&targets, None).await.unwrap();
    assert_eq!(ids(&told), ["llama-a", "gpt", "llama-b"]);
    // Nobody is asked for one that it isn't for.
    let error = ask(&targets, Catalog::Plain, Some("gpt"))
        .await
        .unwrap_err();
    let (status, code) = (error.status.as_u16(), &*error.code);
    assert_eq!((status, code), (403, "model_not_allowed"));
}
