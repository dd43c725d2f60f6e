//! What `docs/clients.md` shows is run as it stands, and must print what it says.

use std::path::Path;
use std::process::Command;

use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";

/// The addresses that the document names.
const TRAFFIC: &str = "127.0.0.1:41002";
const ADMIN: &str = "127.0.0.1:41003";

/// What runs a section's snippets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Runner {
    /// It starts the gateway, which the tests do themselves.
    Start,
    Shell,
    Python(&'static str),
    Node,
}

const SECTIONS: [(&str, Runner); 10] = [
    ("Clients", Runner::Start),
    ("curl", Runner::Shell),
    ("The command line", Runner::Shell),
    ("OpenAI's SDK for Python", Runner::Python("sdks")),
    ("OpenAI's SDK for Node.js", Runner::Node),
    ("Cerebras' SDK for Python", Runner::Python("sdks")),
    ("Anthropic's SDK for Python", Runner::Python("sdks")),
    ("LangChain", Runner::Python("langchain")),
    ("LiteLLM", Runner::Python("litellm")),
    ("The AI SDK", Runner::Node),
];

/// A block of code, and the block of what it prints.
#[derive(Debug)]
struct Snippet {
    section: String,
    language: String,
    code: String,
    prints: Option<String>,
}

fn snippets() -> Vec<Snippet> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md");
    let text = std::fs::read_to_string(file).unwrap();
    let (mut found, mut section) = (Vec::<Snippet>::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            let block = block.fold(String::new(), |block, line| block + line + "\n");
            match language {
                "text" => found.last_mut().unwrap().prints = Some(block),
                language => found.push(Snippet {
                    section: section.clone(),
                    language: language.to_owned(),
                    code: block,
                    prints: None,
                }),
            }
        } else if let Some(title) = line.trim_start_matches('#').strip_prefix(' ')
            && line.starts_with('#')
        {
            section = title.to_owned();
        }
    }
    found
}

fn runner(section: &str) -> Runner {
    let known = SECTIONS.iter().find(|(title, _)| *title == section);
    let (_, runner) = known.unwrap_or_else(|| panic!("nothing runs what {section:?} shows"));
    *runner
}

#[test]
fn every_snippet_is_run_and_says_what_it_prints() {
    let found = snippets();
    for (title, _) in SECTIONS {
        let shown = found.iter().any(|snippet| snippet.section == title);
        assert!(shown, "{title:?} shows nothing");
    }
    for snippet in &found {
        let language = match runner(&snippet.section) {
            Runner::Start => continue,
            Runner::Shell => "sh",
            Runner::Python(_) => "python",
            Runner::Node => "js",
        };
        assert_eq!(snippet.language, language, "{snippet:?}");
        assert!(snippet.prints.is_some(), "{snippet:?}");
    }
}

/// Runs all snippets of the sections that have this runner, before a gateway.
async fn shown_works(by: Runner) {
    let upstream = Upstream::simulated().await;
    let gateway = Process::run(CHAIN, &[upstream.address]).await;
    let (traffic, admin) = (gateway.traffic.to_string(), gateway.admin.to_string());
    let mut ran = 0;
    for snippet in snippets() {
        if runner(&snippet.section) != by {
            continue;
        }
        let code = snippet.code.replace(TRAFFIC, &traffic);
        let code = code.replace(ADMIN, &admin).replace(
            "witgate ask",
            &format!("witgate ask --gateway http://{traffic}"),
        );
        let work = tokio::task::spawn_blocking(move || command(by, &code).output().unwrap());
        let output = work.await.unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        let (section, prints) = (snippet.section, snippet.prints.unwrap_or_default());
        assert!(output.status.success(), "{section}:\n{out}\n{err}");
        assert_eq!(out.trim(), prints.trim(), "{section}:\n{err}");
        ran += 1;
    }
    assert!(ran > 0, "nothing was run");
    assert!(!upstream.recorder.requests().is_empty());
}

fn command(by: Runner, code: &str) -> Command {
    match by {
        Runner::Start => unreachable!("the tests start the gateway themselves"),
        Runner::Shell => {
            let mut command = python::direct("sh".as_ref(), Vec::new());
            command.args(["-e", "-c", code]);
            let program = Path::new(env!("CARGO_BIN_EXE_witgate"));
            let mut folders = vec![program.parent().unwrap().to_owned()];
            folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
            command.env("PATH", std::env::join_paths(folders).unwrap());
            command.env_remove("WITGATE_KEY");
            command
        }
        Runner::Python(environment) => {
            // LiteLLM would fetch prices from the Internet when it is loaded.
            let alone = ("LITELLM_LOCAL_MODEL_COST_MAP", "True".to_owned());
            let mut command = python::direct(&python::python(environment), vec![alone]);
            command.args(["-B", "-c", code]);
            command
        }
        Runner::Node => {
            let mut command = python::direct(node::node(), Vec::new());
            command.args(["--input-type=module", "--eval", code]);
            command.current_dir(node::packages());
            command
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_for_the_shell_works() {
    shown_works(Runner::Shell).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_for_the_sdks_works() {
    shown_works(Runner::Python("sdks")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_for_langchain_works() {
    shown_works(Runner::Python("langchain")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_for_litellm_works() {
    shown_works(Runner::Python("litellm")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_for_node_works() {
    shown_works(Runner::Node).await;
}
