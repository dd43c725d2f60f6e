//! Loading whatever is in a file.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::config::Config;
use crate::policy::engine::EngineSettings;
use crate::policy::{self, LoadError, Loaded, Sandbox, StageSpec, inspect};

/// What is longer finds nothing new, and takes long to compile.
const LONGEST: usize = 64 << 10;

/// The stage that it is to become.
const CONFIG: &str = "
pack: {name: fuzzed, version: 1.0.0, enabled: true}
policies:
  chain:
    - {id: fuzzed, component: fuzzed.wasm, grants: [journal], limits: {memory: 4 MiB}}
";

/// Bytes as a component: either they become a stage that serves an exchange, or a sentence says why not.
pub fn component(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let inspected = inspect(data);
    let loaded = load(data, None);
    match (&inspected, &loaded) {
        (Err(early), Err(late)) => assert_eq!(early.to_string(), late.to_string()),
        (Err(error), Ok(_)) => panic!("loaded what {error}"),
        (Ok(_), Err(error)) => assert!(!error.to_string().is_empty()),
        (Ok(inspection), Ok(loaded)) => {
            assert_eq!(loaded.digest(), inspection.digest);
            assert_eq!(
                Arc::strong_count(loaded),
                1,
                "an instance outlives its exchange"
            );
            for import in &inspection.imports {
                let known = import.starts_with("witgate:policy/") || import.starts_with("wasi:");
                assert!(known, "linked {import}");
            }
        }
    }
    if let Ok(inspection) = inspected {
        assert_eq!(inspection.size, data.len());
        let other = format!("sha256:{}", "0".repeat(64));
        let pinned = load(data, Some(other));
        assert!(matches!(pinned, Err(LoadError::WrongDigest { .. })));
    }
}

fn load(data: &[u8], pinned: Option<String>) -> Result<Arc<Loaded>, LoadError> {
    static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
        let settings = EngineSettings {
            exchanges: 1,
            stages: 1,
            memory: 4 << 20,
            ..EngineSettings::default()
        };
        Sandbox::new(settings).expect("an engine of the smallest size")
    });
    let config =
        Config::parse(CONFIG, "the configuration", Path::new("/")).expect("a right configuration");
    let mut spec = StageSpec::from(&config.stages[0]);
    spec.pinned = pinned;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime of one thread");
    runtime.block_on(policy::load(&SANDBOX, spec, data))
}
