//! The one shape of the work that runs beside everything else.
//!
//! tokio makes the harness of a task anew for each type of future that it is given, and once more for each kind of
//! runtime: code that is compiled, and held in memory, a hundred times over. In a box every piece of work has one type.
//! The box costs one allocation for a task, so what is begun for each request does without it.

use std::future::Future;
use std::pin::Pin;

/// Work without a result.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Puts a future into a box.
pub fn work(future: impl Future<Output = ()> + Send + 'static) -> Work {
    Box::pin(future)
}
