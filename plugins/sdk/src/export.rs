//! From a [`Policy`](crate::Policy) to the exports of a component.
//!
//! What must stay true: between `configure` and the first exchange the component has nothing but memory, because a snapshot
//! keeps nothing else. So nothing here prints, reads the environment or asks for a clock.

/// Makes a component of a policy: `witgate_policy::export!(NoShouting);`, once, at the root of the crate.
///
/// The component's name and version are those of the crate.
#[macro_export]
macro_rules! export {
    ($policy:ty) => {
        impl $crate::export::Named for $policy {
            const NAME: &'static str = ::std::env!("CARGO_PKG_NAME");
            const VERSION: &'static str = ::std::env!("CARGO_PKG_VERSION");
        }

        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::export::Component<$policy>;
    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

/// The facts about the calling crate, which only the macro knows.
#[doc(hidden)]
pub trait Named {
    const NAME: &'static str;
    const VERSION: &'static str;
}

#[cfg(target_family = "wasm")]
pub use component::Component;

#[cfg(target_family = "wasm")]
mod component {
    use std::any::Any;
    use std::cell::RefCell;
    use std::marker::PhantomData;
    use std::rc::Rc;

    use super::Named;
    use crate::bindings::exports::witgate::policy::policy;
    use crate::{Channel, Description, Edit, Policy, Verdict, Wants};

    thread_local! {
        /// The configured policy, which the snapshot keeps. `Any`, because a static can't be generic.
        static CONFIGURED: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
    }

    /// The component's exports for one policy.
    #[doc(hidden)]
    #[derive(Debug)]
    pub struct Component<P>(PhantomData<P>);

    /// One exchange. Its passages share the policy with it, which is safe because an instance runs one call at a time.
    #[doc(hidden)]
    #[derive(Debug)]
    pub struct Exchange<P>(Rc<RefCell<P>>);

    /// One passage of an exchange.
    #[doc(hidden)]
    pub struct Passage<P> {
        policy: Rc<RefCell<P>>,
        passage: RefCell<Box<dyn crate::Passage<P>>>,
    }

    impl<P: Policy + Named> policy::Guest for Component<P> {
        type Exchange = Exchange<P>;
        type Passage = Passage<P>;

        fn describe() -> Description {
            crate::panics::to_log();
            Description {
                name: P::NAME.into(),
                version: P::VERSION.into(),
                config_schema: P::schema(),
            }
        }

        fn configure(config: String) -> Result<Wants, String> {
            crate::panics::to_log();
            let policy: P = crate::settings::configure(&config)?;
            let wants = Wants {
                hooks: policy.hooks(),
                interest: policy.interest(),
            };
            CONFIGURED.set(Some(Box::new(policy)));
            Ok(wants)
        }
    }

    impl<P: Policy> policy::GuestExchange for Exchange<P> {
        fn new() -> Self {
            CONFIGURED.with_borrow(|policy| {
                let policy: Option<&P> = policy.as_ref().and_then(|policy| policy.downcast_ref());
                let policy =
                    policy.expect("the host configures a policy before its first exchange");
                Self(Rc::new(RefCell::new(policy.clone())))
            })
        }

        fn on_request(&self) -> Verdict {
            self.0.borrow_mut().on_request()
        }

        fn on_answer(&self, choice: u32, channel: Channel) -> Option<policy::Passage> {
            let passage = self.0.borrow_mut().on_answer(choice, &channel)?;
            Some(policy::Passage::new(Passage {
                policy: Rc::clone(&self.0),
                passage: RefCell::new(passage),
            }))
        }

        fn on_complete(&self) {
            self.0.borrow_mut().on_complete();
        }
    }

    impl<P: Policy> policy::GuestPassage for Passage<P> {
        fn on_delta(&self, text: String) -> Edit {
            let mut policy = self.policy.borrow_mut();
            self.passage.borrow_mut().on_delta(&mut policy, &text)
        }

        fn on_end(&self, finish: String) -> Edit {
            let mut policy = self.policy.borrow_mut();
            self.passage.borrow_mut().on_end(&mut policy, &finish)
        }
    }
}
