//! The one engine with what is linked for every component: from a component's bytes to something that can be instantiated.

use std::sync::{Arc, OnceLock};

use rayon::ThreadPool;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Cache, Engine, Store};

use super::bindings::BindingsPre;
use super::compiled::CompiledFiles;
use super::engine::{self, EngineError, EngineSettings};
use super::error::LoadError;
use super::guest::Guest;
use super::{grants, imports, store};
use witgate_config::Grant;

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::load";
const ENGINE: &str = "witgate::policy::engine";

/// Everything that loading needs: the engine, and what is linked for each grant.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    settings: EngineSettings,
    /// What was compiled before. `None`: nothing is kept.
    compiled: Option<CompiledFiles>,
    /// Room for instances that wait for their next exchange.
    pub(super) idle: Arc<Semaphore>,
    /// Where components are compiled, once there are exchanges to disturb.
    aside: OnceLock<ThreadPool>,
}

impl Sandbox {
    /// Sets up the engine.
    ///
    /// # Errors
    /// Where it can't be set up at that size.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let (compiled, cache) = compiled(&settings).unzip();
        let engine = engine::build(&settings, cache.as_ref())?;
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker).expect("the contract's own interfaces have different names");
        Ok(Sandbox {
            engine,
            linker,
            settings,
            compiled,
            idle: Arc::new(Semaphore::new(engine::IDLE as usize)),
            aside: OnceLock::new(),
        })
    }

    /// From now on components are compiled one at a time on a thread of low priority, so that exchanges that run aren't slowed
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

    pub(super) fn compile(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let compile = || Component::from_binary(&self.engine, bytes);
        let checked = || match &self.compiled {
            Some(files) => files.checked(compile).map_err(LoadError::stuck),
            None => Ok(compile()),
        };
        let compiled = match self.aside.get() {
            // What the compiler would share among threads stays on this one, too.
            Some(thread) => thread.install(checked),
            None => checked(),
        };
        compiled?.map_err(LoadError::Uncompiled)
    }

    /// Links what the grants allow and nothing else.
    pub(super) fn pre(
        &self,
        component: &Component,
        grants: &[Grant],
    ) -> Result<BindingsPre<Guest>, LoadError> {
        let mut linker = self.linker.clone();
        for grant in grants {
            grants::link(*grant, &mut linker).map_err(LoadError::Misfit)?;
        }
        let pre = linker
            .instantiate_pre(component)
            .map_err(LoadError::Misfit)?;
        BindingsPre::new(pre).map_err(LoadError::Misfit)
    }

    pub(super) fn store(&self, guest: Guest) -> Store<Guest> {
        store::store(&self.engine, guest)
    }
}

/// What was compiled before, and wasmtime's side of it, where there is a folder that is ours alone.
fn compiled(settings: &EngineSettings) -> Option<(CompiledFiles, Cache)> {
    let folder = settings.cache.as_ref()?;
    let opened = CompiledFiles::open(folder).map_err(wasmtime::Error::from);
    let opened = opened.and_then(|files| Ok((files.cache()?, files)));
    match opened {
        Ok((cache, files)) => Some((files, cache)),
        Err(error) => {
            tracing::warn!(target: ENGINE, folder = %folder.display(), %error, "no compile cache there; components are compiled at every start");
            None
        }
    }
}
