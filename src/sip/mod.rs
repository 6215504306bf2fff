//! The SIP user agent, sans-IO (RFC 3261): bytes and time come in, bytes and events go out.

pub mod message;
