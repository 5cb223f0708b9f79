//! The search for an adapter of wgpu. burn-wgpu panics where it has none, so that it is asked for first, and in the same way.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Whether the adapter that burn-wgpu would take is there: of the system's own graphics interface, the fastest one.
pub(super) fn is_there() -> bool {
    let backends = if cfg!(target_os = "macos") { wgpu::Backends::METAL } else { wgpu::Backends::VULKAN };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        force_fallback_adapter: false,
        compatible_surface: None,
    };
    wait(instance.request_adapter(&options)).is_ok()
}

/// What a future gives that is as good as ready, as wgpu's are outside a browser.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}
