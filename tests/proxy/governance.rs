//! The policies of governance, all in one chain, beside an empty chain: with nothing to say, with something to take out of every request and answer, and from the cache.

use std::net::SocketAddr;
use std::time::Duration;

use crate::compare::{at, ratio, us};
use crate::connection::post;
use crate::load::{self, Streams};
use crate::peers::Peer;
use crate::process::cpu;
use crate::support::{Value, ask, json, with};
use crate::upstream::{ADDRESS, AS_JSON, FIND, paced};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// How long each is loaded in a round, with requests and then with streams; `WITGATE_BENCH_MS` says another, to see that it works.
const TIME: Duration = Duration::from_secs(3);
const WARM: Duration = Duration::from_millis(500);
/// From one chunk of a stream to the next, and how many a stream has.
const EACH: Duration = Duration::from_millis(2);
const MANY: u64 = 500;

/// In the order that docs/governance.md tells. `moderation` may ask its service, which stands where the model does.
const CHAIN: &str = "[access, rate-limit, topics, {id: moderation, grants: [{http: {hosts: [{url: \"http://@0\", private: true}], timeout: 60s}}]}, \
                     dlp, secrets, pii-vault, data-routing, budget, tool-firewall, json-answer, cache], \
                     answers: [access, rate-limit, topics, moderation, dlp, secrets, data-routing, budget, tool-firewall, json-answer, cache, pii-vault]";

const POLICIES: &str = r#"policy:
  access: {default: allow, rules: [{name: shell, effect: deny, tools: [shell]}, {name: nights, effect: deny, roles: [batch], hours: {from: "07:00", to: "20:00", zone: Europe/Berlin}}]}
  rate-limit: {limits: [{requests: 1000000000, per: minute, kind: bucket}, {tokens: 1000000000000, per: day, by: [principal, team, model]}]}
  topics:
    forbidden:
      weapons: {terms: [gun, rifle, {term: pipe bomb, weight: 3}], threshold: 3}
      sailing:
        examples: ["How do I hoist the sail of a small boat in strong wind?", "Which knot do sailors use to tie a boat to the harbour?", "The skipper trims the mainsail when the wind turns.", "Reef the mainsail before the storm reaches the boat.", "How does a boat sail against the wind?"]
  moderation: {endpoint: "http://@0/v1/moderations"}
  dlp: {blocked_terms: [Project Lynx, jane.doe@example.com]}
  data-routing: {classes: [{name: salary, keywords: [salary], require_zero_data_retention: true}], require_no_training: true}
  budget: {budgets: [{tokens: 1000000000000, per: month, soft_percent: 90}]}
  tool-firewall: {blocked_tools: [wipe]}
  json-answer: {schema: {type: object, properties: {say: {type: string}}, required: [say]}}
  cache: {scope: shared}
providers: {targets: [{id: sim, provider: cerebras, base_url: "http://@0/v1", data_policy: {retention_days: 0, training_opt_out: true}}]}
"#;

/// A row of the table: what is asked of which gateway.
struct Row {
    name: &'static str,
    peer: usize,
    says: String,
    more: Value,
    /// For each round.
    request: Vec<Duration>,
    chunk: Vec<Duration>,
}

impl Row {
    fn new(name: &'static str, peer: usize, says: &str, more: Value) -> Row {
        Row {
            name,
            peer,
            says: format!("{says} {AS_JSON}"),
            more,
            request: Vec::new(),
            chunk: Vec::new(),
        }
    }

    async fn round(&mut self, peers: &[Peer], time: Duration) {
        let peer = &peers[self.peer];
        let (to, process) = (peer.address(), peer.id());
        let request = post(&with(ask(&self.says), self.more.clone()));
        load::requests(to, CONNECTIONS, &request, WARM.min(time)).await;
        let before = cpu(process);
        let answers = load::requests(to, CONNECTIONS, &request, time).await;
        let took = cpu(process) - before;
        self.request.push(took / answers.max(1) as u32);
        if self.more != json!({}) {
            // What is kept is streamed at once, in pieces of its own.
            return;
        }
        let says = format!("{} {}", self.says, paced(EACH, MANY));
        let stream = post(&with(ask(&says), json!({"stream": true})));
        let streams = Streams::open(to, CONNECTIONS, stream).await;
        streams.read(WARM.min(time)).await;
        let before = cpu(process);
        let read = streams.read(time).await;
        let took = cpu(process) - before;
        self.chunk.push(took / read.chunks.max(1) as u32);
        streams.close().await;
    }
}

/// Prints the table.
pub async fn run(upstream: SocketAddr) {
    let time = std::env::var("WITGATE_BENCH_MS").ok();
    let time = time.and_then(|it| it.parse().ok());
    let time = time.map_or(TIME, Duration::from_millis);
    let peers = [
        Peer::witgate(upstream, "[]", "").await,
        Peer::witgate(upstream, CHAIN, POLICIES).await,
    ];
    let plain = "Say hello in one sentence, please.";
    let hit = format!("Write to {ADDRESS} of Project Lynx. {FIND}");
    let mut rows = [
        Row::new("no policies", 0, plain, json!({})),
        Row::new("twelve, plain", 1, plain, json!({})),
        Row::new("twelve, hit", 1, &hit, json!({})),
        Row::new("twelve, cached", 1, plain, json!({"temperature": 0})),
    ];
    for _ in 0..ROUNDS {
        for row in &mut rows {
            row.round(&peers, time).await;
        }
    }
    println!(
        "CPU on one core, {CONNECTIONS} connections; medians of {ROUNDS} rounds, and beside an empty chain in the same round.\n\
         hit: two values in each request, one in each answer and more in streams; a chunk has all that its exchange costs, spread over {MANY}.\n"
    );
    println!("                 us/request    more  x empty    us/chunk    more  x empty");
    let base = [rows[0].request.clone(), rows[0].chunk.clone()];
    for row in &rows {
        let cells = [&row.request, &row.chunk]
            .into_iter()
            .zip(&base)
            .map(|(of, to)| {
                if of.is_empty() {
                    return String::new();
                }
                let median = |times: &[Duration]| us(at(&mut times.to_vec(), 0.5));
                let (this, empty) = (median(of), median(to));
                format!("{this:>11.2} {:>+7.2} {:>8.2}", this - empty, ratio(of, to))
            });
        let cells: Vec<_> = cells.collect();
        println!("{:<15} {}", row.name, cells.join(" "));
    }
}
