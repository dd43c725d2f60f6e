//! A copy of a stage's snapshot in one exchange, and the calls into it.
//!
//! It is a fresh one, unless the stage reuses them. The file is long because each call has its method here.
//!
//! What must stay true: every call has its own budget, armed right before it; an instance in which a call failed, or in which a
//! call was dropped half-way, is never entered again (a trap poisons the whole store).

use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::exchange_state::{ExchangeState, HookPhase};
use super::failure::{Class, Failure};
use super::grants::GrantStates;
use super::guest::Guest;
use super::limits::{CHOICES, CONFIGURE_CPU, Cpu, DELTA, DELTA_OUTPUT, OUTPUT};
use super::meter::{gave_way, metered};
use super::outcome::Outcome;
use super::request::{Draft, RequestView};
use super::reuse::{IdleInstances, LiveInstance};
use super::spoken::Policy;
use super::stage::{Instantiation, Stage};
use super::store::store;
use super::text::{cut, is_name, quoted};
use super::types::{Channel, Delta, Denial, Edit, Finding, Verdict};
use witgate_journal::Accepted;
use witgate_metrics::Hook;

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::instance";

/// One sandbox, serving one exchange.
pub struct Instance {
    stage: Arc<Stage>,
    live: LiveInstance,
    exchange: ResourceAny,
    /// Passages that were opened and not ended.
    passages: u32,
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
    /// What it changed of the request, if it proceeds and changed anything: not yet in effect.
    pub draft: Option<Box<dyn Draft>>,
}

/// What a call on an answer came to.
pub type Answered = Result<Edit, Failure>;

impl Instance {
    /// Copies the snapshot, or takes an instance that waits where the stage reuses them, and begins an exchange in it. The request can
    /// be read from here on.
    ///
    /// # Errors
    /// Where the instance or its `exchange` can't be made.
    pub async fn start(stage: &Arc<Stage>, request: Arc<dyn RequestView>) -> Result<Self, Failure> {
        let began = Instant::now();
        let limits = stage.limits();
        let grants = GrantStates::new(stage.backends());
        let mut cpu = Cpu::new(limits.exchange_cpu);
        cpu.begin(limits.request_cpu);
        let exchange = ExchangeState::new(request, cpu, grants);
        let mut live = match stage.idle().and_then(IdleInstances::take) {
            Some(mut live) => {
                live.store.data_mut().serve(exchange);
                live.store.set_hostcall_fuel(OUTPUT);
                live.store.set_epoch_deadline(1);
                live
            }
            None => fresh(stage, exchange).await?,
        };
        live.store.data_mut().exchange.begin(HookPhase::Answer);
        let construct = live.policy.begin(&mut live.store);
        let exchange = within(limits.call_time, true, pin!(construct)).await?;
        stage.metrics().observe(Hook::New, began.elapsed());
        Ok(Instance {
            stage: stage.clone(),
            live,
            exchange,
            passages: 0,
            lost: false,
        })
    }

    /// Whether a call failed or was dropped, so that nothing may be asked of it any more.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// What later hooks read as the request.
    pub fn set_request(&mut self, request: Arc<dyn RequestView>) {
        self.state().set_request(request);
    }

    /// What the stages before have tagged.
    pub fn set_earlier_tags(&mut self, tags: Vec<(String, String)>) {
        self.state().earlier_tags = tags;
    }

    /// What it has found since it was last asked.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.state().findings)
    }

    /// What it logged last as an error, such as its panic's message and place.
    pub fn take_last_words(&mut self) -> Option<String> {
        self.state().last_error.take()
    }

    /// What it has tagged since it was last asked.
    pub fn take_tags(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().tags)
    }

    /// What it has put on the answer, by name and value: each of them fit for a header.
    pub fn take_answer_headers(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state().answer_headers)
    }

    /// Why choices of its response end, by choice, where it said so.
    pub fn take_response_finishes(&mut self) -> Vec<(u32, String)> {
        std::mem::take(&mut self.state().response_finishes)
    }

    /// Asks for a verdict on the request.
    ///
    /// # Errors
    /// Where the call fails, or what it comes to can't be used.
    pub async fn on_request(&mut self) -> Result<Requested, Failure> {
        let (cpu, size) = self.reading_time();
        let output = OUTPUT + 2 * usize::try_from(size).unwrap_or(usize::MAX / 4);
        let exchange = self.exchange;
        let call = async |policy: &Policy, store: &mut Store<Guest>| {
            policy.on_request(store, exchange).await
        };
        let verdict = self
            .call(Hook::OnRequest, HookPhase::Request, cpu, output, call)
            .await?;
        let draft = self.state().draft.take();
        let verdict = match verdict {
            Verdict::Deny(denial) => self.valid(denial).map(Verdict::Deny),
            Verdict::Respond(deltas) => valid_deltas(deltas).map(Verdict::Respond),
            Verdict::Proceed => Ok(Verdict::Proceed),
        };
        self.lost = verdict.is_err();
        let verdict = verdict?;
        let draft = draft.filter(|_| matches!(verdict, Verdict::Proceed));
        Ok(Requested { verdict, draft })
    }

    /// Its changes of the request turned out not to go together, which is its failure: nothing more is asked of it.
    pub fn cannot_be_committed(&mut self, why: &str) -> Failure {
        self.lost = true;
        let what = format!("its changes of the request don't go together: {why}");
        Failure::new(Class::Output, what)
    }

    /// Tells of a channel that begins. `None`: the stage doesn't want to see it.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn on_answer(
        &mut self,
        choice: u32,
        channel: &Channel,
    ) -> Result<Option<Passage>, Failure> {
        let cpu = self.stage.limits().delta_cpu;
        let exchange = self.exchange;
        let call = async |policy: &Policy, store: &mut Store<Guest>| {
            policy.on_answer(store, exchange, choice, channel).await
        };
        let passage = self
            .call(Hook::OnAnswer, HookPhase::Answer, cpu, DELTA_OUTPUT, call)
            .await?;
        self.passages += u32::from(passage.is_some());
        Ok(passage.map(Passage))
    }

    /// Asks what is to become of a delta.
    ///
    /// # Errors
    /// Where the call fails, or what it comes to can't be used.
    pub async fn on_delta(&mut self, passage: &Passage, text: &str) -> Answered {
        let output = DELTA_OUTPUT + 2 * text.len();
        let cpu = delta_time(self.stage.limits().delta_cpu, text.len());
        let call = async |policy: &Policy, store: &mut Store<Guest>| {
            policy.on_delta(store, passage.0, text).await
        };
        let edit = self
            .call(Hook::OnDelta, HookPhase::Answer, cpu, output, call)
            .await?;
        self.valid_edit(edit)
    }

    /// Tells of a channel's end. The passage is gone after it.
    ///
    /// # Errors
    /// Where the call fails, or what it comes to can't be used.
    pub async fn on_end(&mut self, passage: Passage, finish: &str) -> Answered {
        let cpu = self.stage.limits().delta_cpu;
        let call = async |policy: &Policy, store: &mut Store<Guest>| {
            let edit = policy.on_end(&mut *store, passage.0, finish).await?;
            passage.0.resource_drop_async(store).await?;
            Ok(edit)
        };
        let edit = self
            .call(Hook::OnEnd, HookPhase::Answer, cpu, OUTPUT, call)
            .await?;
        self.passages -= 1;
        if matches!(
            edit,
            Edit::Hold | Edit::HoldLast(_) | Edit::ReplaceAndHoldLast(_)
        ) {
            self.lost = true;
            return Err(Failure::new(
                Class::Misuse,
                "answered on-end with hold, when nothing comes after it",
            ));
        }
        self.valid_edit(edit)
    }

    /// Tells how the exchange ended. Nothing is asked of the instance after it.
    ///
    /// # Errors
    /// Where the call fails.
    pub async fn on_complete(&mut self, outcome: Arc<Outcome>) -> Result<(), Failure> {
        self.state().outcome = Some(outcome);
        let (cpu, _) = self.reading_time();
        let exchange = self.exchange;
        let call = async |policy: &Policy, store: &mut Store<Guest>| {
            policy.on_complete(store, exchange).await
        };
        self.call(Hook::OnComplete, HookPhase::Complete, cpu, OUTPUT, call)
            .await
    }

    /// Nothing is asked of it any more. Where the stage reuses its instances, and this exchange ended as it should, it is kept for the
    /// next one: the guest lets go of the exchange, and the host of all that it kept for it. In any doubt the instance is retired.
    pub async fn finish(mut self) {
        let stage = self.stage.clone();
        let Some(idle) = stage.idle() else { return };
        if self.lost || self.passages > 0 {
            return;
        }
        let limits = stage.limits();
        // To the destructor there is no exchange any more: nothing that it does can be said of the one that is over.
        let mut cpu = Cpu::new(limits.delta_cpu);
        cpu.begin(limits.delta_cpu);
        *self.state() = ExchangeState::configuring(cpu);
        self.live.store.set_hostcall_fuel(OUTPUT);
        self.live.store.set_epoch_deadline(1);
        let dropped = self.exchange.resource_drop_async(&mut self.live.store);
        let dropped = within(limits.call_time, true, pin!(dropped)).await;
        match dropped {
            Ok(()) => idle.put(self.live),
            Err(failure) => {
                tracing::debug!(target: TARGET, stage = %stage.id(), class = %failure.class, "an instance is retired: its exchange's destructor failed: {}", failure.message);
            }
        }
    }

    /// How long a call may run in which all of the request may be read, and how much of it there is to read.
    fn reading_time(&mut self) -> (Duration, u64) {
        let request = self.state().request.as_ref();
        let size = request.map_or(0, |request| request.texts_size());
        let cpu = self.stage.limits().request_cpu + per_mebibyte(size);
        (cpu, size)
    }

    fn state(&mut self) -> &mut ExchangeState {
        &mut self.live.store.data_mut().exchange
    }

    /// One call into the guest, with a budget of its own: running time, and bytes that it may hand over. It counts as failed until
    /// it is done, so that one that is dropped half-way loses the instance.
    async fn call<T>(
        &mut self,
        hook: Hook,
        phase: HookPhase,
        cpu: Duration,
        output: usize,
        call: impl AsyncFnOnce(&Policy, &mut Store<Guest>) -> wasmtime::Result<T>,
    ) -> Result<T, Failure> {
        if self.lost {
            let what = "was asked again after a call that failed or was broken off";
            return Err(Failure::new(Class::Host, what));
        }
        self.lost = true;
        let state = self.state();
        state.begin(phase);
        state.cpu.begin(cpu);
        // Deltas are many, and reading the clock would cost as much as one.
        let measured = phase != HookPhase::Answer || state.cpu.seen();
        self.live.store.set_hostcall_fuel(output);
        self.live.store.set_epoch_deadline(1);
        let limit = self.stage.limits().call_time;
        let began = Instant::now();
        let called = call(&self.live.policy, &mut self.live.store);
        let done = within(limit, measured, pin!(called)).await;
        self.stage.metrics().observe(hook, began.elapsed());
        if !self.state().counts.is_empty() {
            for (name, count) in std::mem::take(&mut self.state().counts) {
                self.stage.metrics().count(&name, count);
            }
        }
        self.lost = done.is_err();
        if done.is_err() {
            self.state().undo();
        }
        done
    }

    /// The journal entries that it wrote since it was last asked, on their way to the disk. Nobody needs the instance for that.
    pub fn take_entries(&mut self) -> Vec<Accepted> {
        self.state().grants.journal.take_accepted()
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
                let request = self.live.store.data().exchange.request.as_ref();
                let request = request.map(|request| request.id());
                tracing::warn!(target: TARGET, stage = %self.stage.id(), request, status, "denied with a status that no denial may have; 403 is sent");
                denial.status = None;
            }
        }
        Ok(denial)
    }
}

/// A fresh copy of the snapshot.
async fn fresh(stage: &Stage, exchange: ExchangeState) -> Result<LiveInstance, Failure> {
    let (loaded, limits) = (stage.loaded(), stage.limits());
    let guest = Guest::live(stage.id(), limits.memory, limits.into(), exchange);
    let mut store = store(loaded.pre.engine(), guest);
    let policy = match &loaded.instantiation {
        Instantiation::Snapshot => {
            let instantiate = loaded.pre.instantiate_async(&mut store);
            within(limits.call_time, false, pin!(instantiate)).await?
        }
        // Apart: the exchanges that need it are few, and all others would keep room for it.
        Instantiation::PerInstance(_) => Box::pin(configured(stage, &mut store)).await?,
    };
    Ok(LiveInstance::new(store, policy, stage.metrics()))
}

/// Makes an instance and configures it, for a component that can't be snapshotted.
async fn configured(stage: &Stage, store: &mut Store<Guest>) -> Result<Policy, Failure> {
    let (loaded, limits) = (stage.loaded(), stage.limits());
    store.data_mut().exchange.cpu.begin(CONFIGURE_CPU);
    let instantiate = loaded.pre.instantiate_async(&mut *store);
    let policy = within(limits.call_time, false, pin!(instantiate)).await?;
    let configure = policy.configure(&mut *store, &loaded.spec.settings);
    let hooks = within(limits.call_time, true, pin!(configure)).await?;
    hooks.map_err(|why| {
        Failure::new(
            Class::Host,
            format!(
                "refused the configuration that it took at load: {}",
                quoted(&why)
            ),
        )
    })?;
    // What configuring took isn't the exchange's.
    let mut cpu = Cpu::new(limits.exchange_cpu);
    cpu.begin(limits.request_cpu);
    store.data_mut().exchange.cpu = cpu;
    store.set_epoch_deadline(1);
    Ok(policy)
}

fn valid_deltas(deltas: Vec<Delta>) -> Result<Vec<Delta>, Failure> {
    if deltas.iter().any(|delta| delta.choice >= CHOICES) {
        return Err(Failure::new(
            Class::Output,
            "responded with a choice past the 128th",
        ));
    }
    let other = |delta: &Delta| matches!(delta.channel, Channel::Other(_));
    if deltas.iter().any(other) {
        return Err(Failure::new(
            Class::Output,
            "responded on a channel that no response has",
        ));
    }
    Ok(deltas)
}

/// How long a call about a delta of that length may run. A delta of a stream is a token or a few; a whole answer comes in pieces that are
/// as many deltas at once, and has the time of all of them: what passes streamed passes whole. All calls together have `exchange_cpu`.
fn delta_time(delta_cpu: Duration, bytes: usize) -> Duration {
    let deltas = bytes.div_ceil(DELTA).max(1);
    delta_cpu.saturating_mul(u32::try_from(deltas).unwrap_or(u32::MAX))
}

/// A longer text may be looked at for longer: 40 ms a MiB. That is twice what the default chain's policies need on a processor that has
/// nothing else to do: beside other work each takes longer for the same.
fn per_mebibyte(size: u64) -> Duration {
    Duration::from_micros(size.saturating_mul(40_000) >> 20)
}

/// Bounds a call, pinned where it comes from, by the clock on the wall, and meters it. Nearly every call is done at its first poll, and
/// needs no timer. A guest that a tick put aside waits for a worker and for nothing of its own: that time isn't its, or a crowd would make
/// failures of calls that are only waiting for their turn.
async fn within<T>(
    limit: Duration,
    measured: bool,
    call: impl Future<Output = wasmtime::Result<T>> + Unpin,
) -> Result<T, Failure> {
    let mut call = pin!(metered(measured, call));
    if let Poll::Ready(done) = futures_util::poll!(call.as_mut()) {
        return done.map_err(Failure::from);
    }
    let put_aside = || gave_way().then(tokio::time::Instant::now);
    let (mut aside, mut timer) = (put_aside(), pin!(tokio::time::sleep(limit)));
    std::future::poll_fn(|cx| {
        if let Some(since) = aside.take() {
            let later = timer.deadline() + since.elapsed();
            timer.as_mut().reset(later);
        }
        if let Poll::Ready(done) = call.as_mut().poll(cx) {
            return Poll::Ready(done.map_err(Failure::from));
        }
        aside = put_aside();
        if aside.is_some() {
            // Its turn comes without being asked for.
            return Poll::Pending;
        }
        ready!(timer.as_mut().poll(cx));
        let limit = limit.as_millis();
        let what = format!("waited for longer than its call_time of {limit} ms");
        Poll::Ready(Err(Failure::new(Class::Deadline, what)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_whole_answer_has_the_time_of_the_deltas_that_it_would_stream_in() {
        let one = Duration::from_millis(5);
        assert_eq!(delta_time(one, 0), one);
        assert_eq!(delta_time(one, 1), one);
        for bytes in [DELTA, 1000, 4 << 10, 1 << 20] {
            let deltas = bytes.div_ceil(DELTA);
            let streamed: Duration = (0..deltas).map(|_| delta_time(one, DELTA)).sum();
            assert_eq!(delta_time(one, bytes), streamed, "{bytes}");
        }
        assert_eq!(delta_time(Duration::MAX, 1 << 40), Duration::MAX);
    }
}
