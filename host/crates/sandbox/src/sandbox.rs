//! The engines with what is linked for every component: from a component's bytes to something that can be instantiated.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use rayon::ThreadPool;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, Engine, Store};

use super::compiled::{self, Checked, CompiledFiles};
use super::compiler::{Compiler, Job, NotCompiled};
use super::component::Contract;
use super::engine::{self, EngineError, EngineSettings, Kind};
use super::error::LoadError;
use super::guest::Guest;
use super::spoken::PolicyPre;
use super::{grants, imports, newer, store};
use witgate_config::Grant;

/// The target of the lines here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::load";
const ENGINE: &str = "witgate::policy::engine";

/// Everything that loading needs: the engines, and what is linked for each grant.
pub struct Sandbox {
    serving: Linked,
    /// Made when the first component is configured.
    configuring: OnceLock<Linked>,
    settings: EngineSettings,
    /// What was compiled before, and wasmtime's side of it. `None`: nothing is kept.
    kept: Option<(CompiledFiles, Cache)>,
    /// Compiles in a process of its own. `None`: that can't be.
    compiler: Option<Compiler>,
    /// Room for instances that wait for their next exchange.
    pub(super) idle: Arc<Semaphore>,
    /// Where components are compiled in this process, once there are exchanges to disturb.
    aside: OnceLock<ThreadPool>,
}

/// An engine, and what every component in it is linked to.
pub(super) struct Linked {
    engine: Engine,
    kind: Kind,
    linker: Linker<Guest>,
}

impl Sandbox {
    /// Sets up the engine.
    ///
    /// # Errors
    /// Where it can't be set up at that size.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let kept = kept(&settings);
        let cache = kept.as_ref().map(|(_, cache)| cache);
        let serving = Linked::new(engine::serving(&settings, cache)?);
        Ok(Sandbox {
            serving,
            configuring: OnceLock::new(),
            compiler: settings.compiler.clone().map(Compiler::new),
            settings,
            kept,
            idle: Arc::new(Semaphore::new(engine::IDLE as usize)),
            aside: OnceLock::new(),
        })
    }

    /// From now on components are compiled one at a time at low priority, so that exchanges that run aren't slowed
    /// down. Before, a compilation takes all cores there are.
    pub fn compile_aside(&self) {
        match engine::low_priority(self.settings.compile_nice) {
            Ok(thread) => drop(self.aside.set(thread)),
            Err(error) => {
                tracing::warn!(target: TARGET, %error, "there is no thread to compile on; a reload will take all cores");
            }
        }
    }

    /// What was fixed at start.
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// The engine that serves.
    pub(super) fn serving(&self) -> &Linked {
        &self.serving
    }

    /// The engine in which components are configured: what it compiles runs slowly, and is compiled fast.
    pub(super) fn configuring(&self) -> &Linked {
        self.configuring.get_or_init(|| {
            let cache = self.kept.as_ref().map(|(_, cache)| cache);
            let made = engine::configuring(&self.settings, self.serving.kind, cache);
            // It differs in settings that every engine takes.
            Linked::new(made.expect("an engine like the one that serves"))
        })
    }

    pub(super) fn compile(&self, linked: &Linked, bytes: &[u8]) -> Result<Component, LoadError> {
        let here = || Component::from_binary(&linked.engine, bytes).map_err(LoadError::Uncompiled);
        let compile = || match &self.kept {
            Some((files, _)) => files
                .checked(|checked| {
                    self.compile_elsewhere(files, checked, linked, bytes)?;
                    // What was compiled is read; where nothing was, it is compiled here.
                    here()
                })
                .map_err(LoadError::stuck)
                .flatten(),
            None => here(),
        };
        match self.aside.get() {
            // What the compiler would share among threads stays on this one, too.
            Some(thread) => thread.install(compile),
            None => compile(),
        }
    }

    /// Has it compiled in a process of its own where it isn't yet and where that can be: the compiler would hold up every thread of this one
    /// that needs memory.
    fn compile_elsewhere(
        &self,
        files: &CompiledFiles,
        checked: &mut Checked<'_>,
        linked: &Linked,
        bytes: &[u8],
    ) -> Result<(), LoadError> {
        let Some(compiler) = &self.compiler else {
            return Ok(());
        };
        if checked.holds(&compiled::key(&linked.engine, bytes)) {
            return Ok(());
        }
        let nice = self.aside.get().map(|_| self.settings.compile_nice);
        let job = Job::new(files.folder(), linked.kind, nice);
        let began = Instant::now();
        match compiler.compile(&job, bytes) {
            Ok(()) => {
                tracing::debug!(target: TARGET, bytes = bytes.len(), took = ?began.elapsed(), "a component was compiled in a process of its own");
                checked.take_new();
            }
            Err(NotCompiled::Component(why)) => {
                return Err(LoadError::Uncompiled(wasmtime::Error::msg(why)));
            }
            Err(NotCompiled::Unavailable(why)) => {
                tracing::warn!(target: TARGET, "a component is compiled in this process, which exchanges may feel: no other one can be had for it: {why}");
            }
        }
        Ok(())
    }
}

impl Linked {
    fn new((engine, kind): (Engine, Kind)) -> Self {
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker).expect("the contract's own interfaces have different names");
        Linked {
            engine,
            kind,
            linker,
        }
    }

    /// Links what the grants allow and nothing else.
    pub(super) fn pre(
        &self,
        component: &Component,
        contract: Contract,
        grants: &[Grant],
    ) -> Result<PolicyPre, LoadError> {
        let mut linker = self.linker.clone();
        for grant in grants {
            grants::link(*grant, &mut linker).map_err(LoadError::Misfit)?;
        }
        let pre = linker.instantiate_pre(component).map_err(|error| {
            newer::missing(&self.engine, component, contract).unwrap_or(LoadError::Misfit(error))
        })?;
        PolicyPre::new(pre, contract).map_err(LoadError::Misfit)
    }

    pub(super) fn store(&self, guest: Guest) -> Store<Guest> {
        store::store(&self.engine, guest)
    }
}

/// What was compiled before, and wasmtime's side of it, where there is a folder that is ours alone.
fn kept(settings: &EngineSettings) -> Option<(CompiledFiles, Cache)> {
    let folder = settings.cache.as_ref()?;
    let opened = CompiledFiles::open(folder).map_err(wasmtime::Error::from);
    match opened.and_then(|files| Ok((files.cache()?, files))) {
        Ok((cache, files)) => Some((files, cache)),
        Err(error) => {
            tracing::warn!(target: ENGINE, folder = %folder.display(), %error, "no compile cache there; components are compiled at every start");
            None
        }
    }
}
