//! A fresh copy of a stage's snapshot, for one exchange, and the calls into it.
//!
//! What must stay true: every call has its own budget, armed right before it; an instance in which a call failed, or in which a
//! call was dropped half-way, is never entered again (a trap poisons the whole store).

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::ctx::{Ctx, Phase, cut, is_name, said_by_guest};
use super::failure::{Class, Failure};
use super::limits::{Cpu, DELTA_OUTPUT, OUTPUT};
use super::load::{Bindings, store};
use super::meter::metered;
use super::outcome::Outcome;
use super::request::RequestView;
use super::stage::{Ready, Stage};
use super::types::{Channel, Delta, Denial, Edit, Finding, Verdict};
use crate::metrics::Hook;

/// One sandbox, serving one exchange.
pub struct Instance {
    stage: Arc<Stage>,
    store: Store<Ctx>,
    bindings: Bindings,
    exchange: ResourceAny,
    /// Set while a call is under way, and left set by one that failed.
    lost: bool,
}

/// A channel of a choice that a stage wants to see.
#[derive(Debug)]
pub struct Passage(ResourceAny);

/// What `on-request` came to.
pub struct Requested {
    /// The verdict; a denial in it is valid.
    pub verdict: Verdict,
    /// The request as this stage made it, where it changed anything.
    pub request: Option<Arc<dyn RequestView>>,
}

/// What a call on an answer came to.
pub type Answered = Result<Edit, Failure>;

impl Instance {
    /// Copies the snapshot and begins an exchange in it. The request can be read from here on.
    pub async fn start(stage: &Arc<Stage>, request: Arc<dyn RequestView>) -> Result<Self, Failure> {
        let began = Instant::now();
        let limits = stage.limits();
        let ctx = Ctx::live(
            stage.id(),
            limits.memory,
            Cpu::new(limits.exchange_cpu),
            stage.journal.clone(),
        );
        let mut store = store(stage.pre.engine(), ctx);
        store.data_mut().cpu.begin(limits.request_cpu);
        let bindings = match &stage.ready {
            Ready::Snapshot => {
                let instantiate = stage.pre.instantiate_async(&mut store);
                within(limits.call_time, false, instantiate).await?
            }
            Ready::PerInstance(_) => configured(stage, &mut store).await?,
        };
        store.data_mut().request = Some(request);
        store.data_mut().begin(Phase::Answer);
        let policy = bindings.witgate_policy_policy();
        let exchange = within(
            limits.call_time,
            true,
            policy.exchange().call_constructor(&mut store),
        )
        .await?;
        stage.metrics.took(Hook::New, began.elapsed());
        stage.all.instances_created.inc();
        stage.all.instances_live.inc();
        Ok(Instance {
            stage: stage.clone(),
            store,
            bindings,
            exchange,
            lost: false,
        })
    }

    /// Whether a call failed or was dropped, so that nothing may be asked of it any more.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What later hooks read as the request.
    pub fn show(&mut self, request: Arc<dyn RequestView>) {
        self.store.data_mut().request = Some(request);
    }

    /// What it has found since it was last asked.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.store.data_mut().findings)
    }

    /// What it has tagged since it was last asked.
    pub fn take_tags(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.store.data_mut().tags)
    }

    /// Asks for a verdict on the request.
    pub async fn on_request(&mut self) -> Result<Requested, Failure> {
        let size = self
            .store
            .data()
            .request
            .as_ref()
            .map_or(0, |request| request.size());
        let cpu = self.stage.limits().request_cpu + per_mebibyte(size);
        let output = OUTPUT + 2 * usize::try_from(size).unwrap_or(usize::MAX / 4);
        let call = self.begin(Phase::Request, cpu, output)?;
        let policy = self.bindings.witgate_policy_policy();
        let answer = within(
            call.limit,
            call.measured,
            policy
                .exchange()
                .call_on_request(&mut self.store, self.exchange),
        )
        .await;
        let verdict = self.end(call, Hook::OnRequest, answer)?;
        let draft = self.store.data_mut().draft.take();
        let request = match &verdict {
            Verdict::Proceed => draft.map(|draft| draft.commit()),
            Verdict::Deny(_) | Verdict::Respond(_) => None,
        };
        let verdict = match verdict {
            Verdict::Deny(denial) => self.valid(denial).map(Verdict::Deny),
            Verdict::Respond(deltas) => self.valid_deltas(deltas).map(Verdict::Respond),
            Verdict::Proceed => Ok(Verdict::Proceed),
        };
        self.lost = verdict.is_err();
        Ok(Requested {
            verdict: verdict?,
            request,
        })
    }

    /// Tells of a channel that begins. `None`: the stage doesn't want to see it.
    pub async fn on_answer(
        &mut self,
        choice: u32,
        channel: &Channel,
    ) -> Result<Option<Passage>, Failure> {
        let call = self.begin(Phase::Answer, self.stage.limits().delta_cpu, DELTA_OUTPUT)?;
        let policy = self.bindings.witgate_policy_policy();
        let answer = within(
            call.limit,
            call.measured,
            policy
                .exchange()
                .call_on_answer(&mut self.store, self.exchange, choice, channel),
        )
        .await;
        Ok(self.end(call, Hook::OnAnswer, answer)?.map(Passage))
    }

    /// Asks what is to become of a delta.
    pub async fn on_delta(&mut self, passage: &Passage, text: &str) -> Answered {
        let output = DELTA_OUTPUT + 2 * text.len();
        let cpu = self.stage.limits().delta_cpu + per_mebibyte(text.len() as u64);
        let call = self.begin(Phase::Answer, cpu, output)?;
        let policy = self.bindings.witgate_policy_policy();
        let answer = within(
            call.limit,
            call.measured,
            policy
                .passage()
                .call_on_delta(&mut self.store, passage.0, text),
        )
        .await;
        let edit = self.end(call, Hook::OnDelta, answer)?;
        self.valid_edit(edit)
    }

    /// Tells of a channel's end. The passage is gone after it.
    pub async fn on_end(&mut self, passage: Passage, finish: &str) -> Answered {
        let call = self.begin(Phase::Answer, self.stage.limits().delta_cpu, OUTPUT)?;
        let policy = self.bindings.witgate_policy_policy();
        let answer = within(call.limit, call.measured, async {
            let edit = policy
                .passage()
                .call_on_end(&mut self.store, passage.0, finish)
                .await?;
            passage.0.resource_drop_async(&mut self.store).await?;
            Ok(edit)
        })
        .await;
        let edit = self.end(call, Hook::OnEnd, answer)?;
        if matches!(edit, Edit::Hold | Edit::HoldLast(_)) {
            self.lost = true;
            return Err(Failure::new(
                Class::Misuse,
                "answered on-end with hold, when nothing comes after it",
            ));
        }
        self.valid_edit(edit)
    }

    /// Tells how the exchange ended. Nothing is asked of the instance after it.
    pub async fn on_complete(&mut self, outcome: Arc<Outcome>) -> Result<(), Failure> {
        self.store.data_mut().outcome = Some(outcome);
        let call = self.begin(Phase::Complete, self.stage.limits().request_cpu, OUTPUT)?;
        let policy = self.bindings.witgate_policy_policy();
        let answer = within(
            call.limit,
            call.measured,
            policy
                .exchange()
                .call_on_complete(&mut self.store, self.exchange),
        )
        .await;
        self.end(call, Hook::OnComplete, answer)
    }

    fn begin(&mut self, phase: Phase, cpu: Duration, output: usize) -> Result<Call, Failure> {
        if self.lost {
            let what = "was asked again after a call that failed or was broken off";
            return Err(Failure::new(Class::Host, what));
        }
        self.lost = true;
        let ctx = self.store.data_mut();
        ctx.begin(phase);
        ctx.cpu.begin(cpu);
        // Deltas are many, and reading the clock would cost as much as one.
        let measured = phase != Phase::Answer || ctx.cpu.seen();
        self.store.set_hostcall_fuel(output);
        self.store.set_epoch_deadline(1);
        Ok(Call {
            began: Instant::now(),
            limit: self.stage.limits().call_time,
            measured,
        })
    }

    fn end<T>(&mut self, call: Call, hook: Hook, answer: Result<T, Failure>) -> Result<T, Failure> {
        self.stage.metrics.took(hook, call.began.elapsed());
        self.lost = answer.is_err();
        if answer.is_err() {
            self.store.data_mut().undo();
        }
        answer
    }

    fn valid_edit(&mut self, edit: Edit) -> Answered {
        match edit {
            Edit::Deny(denial) => {
                let denial = self.valid(denial);
                self.lost = denial.is_err();
                Ok(Edit::Deny(denial?))
            }
            edit => Ok(edit),
        }
    }

    /// A denial's parts go into headers and bodies.
    fn valid(&self, mut denial: Denial) -> Result<Denial, Failure> {
        if !is_name(&denial.code) {
            let what = "denied with a code that doesn't match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(Failure::new(Class::Output, what));
        }
        cut(&mut denial.message, 4096);
        if denial.message.is_empty() {
            // Somebody will read it.
            denial.message = format!("The policy `{}` denied this.", self.stage.id());
        }
        match denial.status {
            None | Some(400..=499 | 503) => {}
            Some(status) => {
                tracing::warn!(stage = %self.stage.id(), status, "denied with a status that no denial may have; 403 is sent");
                denial.status = None;
            }
        }
        Ok(denial)
    }

    fn valid_deltas(&self, deltas: Vec<Delta>) -> Result<Vec<Delta>, Failure> {
        if deltas.iter().any(|delta| delta.choice >= 128) {
            return Err(Failure::new(
                Class::Output,
                "responded with a choice past the 128th",
            ));
        }
        Ok(deltas)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stage.all.instances_live.dec();
    }
}

struct Call {
    began: Instant,
    limit: Duration,
    measured: bool,
}

async fn configured(stage: &Stage, store: &mut Store<Ctx>) -> Result<Bindings, Failure> {
    let limits = stage.limits();
    store.data_mut().cpu.begin(super::load::CONFIGURE_CPU);
    let instantiate = stage.pre.instantiate_async(&mut *store);
    let bindings = within(limits.call_time, false, instantiate).await?;
    let policy = bindings.witgate_policy_policy();
    let said = within(
        limits.call_time,
        true,
        policy.call_configure(&mut *store, &stage.plan.settings),
    )
    .await?;
    said.map_err(|why| {
        Failure::new(
            Class::Host,
            format!(
                "refused the configuration that it took at load: {}",
                said_by_guest(&why)
            ),
        )
    })?;
    store.data_mut().cpu = Cpu::new(limits.exchange_cpu);
    store.data_mut().cpu.begin(limits.request_cpu);
    store.set_epoch_deadline(1);
    Ok(bindings)
}

/// A longer text may be looked at for longer: 20 ms a MiB.
fn per_mebibyte(size: u64) -> Duration {
    Duration::from_micros(size.saturating_mul(20_000) >> 20)
}

/// Bounds a call by the clock on the wall, and meters it. Nearly every call is done at its first poll, and needs no timer.
async fn within<T>(
    limit: Duration,
    measured: bool,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, Failure> {
    let mut call = pin!(metered(measured, call));
    if let Poll::Ready(done) = futures_util::poll!(call.as_mut()) {
        return done.map_err(Failure::from);
    }
    match tokio::time::timeout(limit, call).await {
        Ok(done) => done.map_err(Failure::from),
        Err(_) => Err(Failure::new(
            Class::Deadline,
            format!(
                "waited for longer than its call_time of {} ms",
                limit.as_millis()
            ),
        )),
    }
}
