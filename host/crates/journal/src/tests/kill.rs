//! A process that is killed while it appends.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::process::{Command, Stdio};

use super::super::Order;
use super::*;

/// Set for the child: this test again, in a process of its own.
const PATH: &str = "WITGATE_TEST_JOURNAL_TO_KILL";

const WRITERS: u64 = 32;

#[test]
fn a_kill_loses_no_acknowledged_entry() {
    if let Some(path) = std::env::var_os(PATH) {
        append_until_killed(path.into());
    }
    let scene = Scene::new();
    let module = module_path!().split_once("::").unwrap().1;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg(format!("{module}::a_kill_loses_no_acknowledged_entry"))
        .env(PATH, &scene.path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = HashSet::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.by_ref() {
        acknowledged.extend(line.unwrap().strip_prefix("ack ").map(str::to_owned));
        if acknowledged.len() == 2_000 {
            child.kill().unwrap();
            break;
        }
    }
    // What it still said before it died was acknowledged too. The last line may be cut short.
    for line in lines.map_while(Result::ok) {
        let whole = line.strip_prefix("ack ").filter(|id| id.ends_with('.'));
        acknowledged.extend(whole.map(str::to_owned));
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= 2_000);

    let found = scene.reader().verify(None).unwrap();
    assert!(found.is_sound(), "{found:?}");
    let _ = scene
        .reader()
        .records(Span::default(), Order::OldestFirst, |record| {
            acknowledged.remove(record.request_id.as_ref());
            ControlFlow::<()>::Continue(())
        })
        .unwrap();
    assert!(acknowledged.is_empty(), "lost: {acknowledged:?}");
}

fn append_until_killed(path: PathBuf) -> ! {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let journal = Journal::open(&path, Options::default()).await.unwrap();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    for n in 0_u64.. {
                        let id = format!("{writer}-{n}.");
                        let request_id = id.clone();
                        let entry = Entry {
                            request_id,
                            ..entry(n)
                        };
                        journal.append(entry).await.unwrap();
                        let line = format!("ack {id}\n");
                        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    unreachable!("the writers never end")
}
