//! The emulated provider itself. If it is wrong, every other test may be: these hold it to the facts, with a client
//! that knows nothing of the code under test.

mod caller;
mod endpoints;
mod faults;
mod refusals;
mod secrets;
