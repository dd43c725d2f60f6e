//! Reads the memory of a configured instance for its snapshot, through the functions that Wizer has put into the component.
//!
//! Wizer has the same in a feature that compiles much more into wasmtime than is used here. As there, a function that is missing or
//! fails is a panic, which the snapshot catches: the component can't be snapshotted, no more.

use std::pin::pin;

use wasmtime::Store;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime_wizer::ComponentInstanceState;

use super::meter::metered;

/// The configured instance, and the store that it lives in.
pub(super) struct MemoryReader<'a, T: 'static> {
    pub(super) store: &'a mut Store<T>,
    pub(super) instance: Instance,
}

impl<T: Send> MemoryReader<'_, T> {
    async fn call<R: Lift + 'static>(&mut self, instance: &str, function: &str) -> R {
        let mut export = |within: Option<_>, name: &str| {
            let found = self.instance.get_export(&mut *self.store, within, name);
            found.expect("Wizer's exports are there").1
        };
        let instance = export(None, instance);
        let function = export(Some(&instance), function);
        let function = self
            .instance
            .get_typed_func::<(), (R,)>(&mut *self.store, function)
            .expect("Wizer's functions have the types that it asks for");
        let called = metered(true, pin!(function.call_async(&mut *self.store, ()))).await;
        called.expect("Wizer's functions only read").0
    }
}

impl<T: Send> ComponentInstanceState for MemoryReader<'_, T> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        let list: WasmList<u8> = self.call(instance, func).await;
        contents(list.as_le_slice(&*self.store));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).await
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).await
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        let float: f32 = self.call(instance, func).await;
        float.to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        let float: f64 = self.call(instance, func).await;
        float.to_bits()
    }
}
