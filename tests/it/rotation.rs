//! What rotation promises, whatever the provider, the sidecars and people do, and wherever it is cut short.

mod beginnings;
mod history;
mod keypairs; // key pairs of applications
mod luck;
mod model;
mod others;
mod promises;
mod sidecars;
mod world;
