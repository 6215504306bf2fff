//! The names by which the owner speaks of what the agent keeps. A key is never given out twice by one agent.

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u64);

        impl $name {
            /// The bare number, for logs and for maps of one's own.
            pub fn number(self) -> u64 {
                self.0
            }
        }
    )*};
}

keys! {
    /// An account of ours at a server: who we are there, and the registration.
    AccountKey,
    /// One INVITE dialog, from the first INVITE to its end, whoever began it.
    CallKey,
    /// Something we watch (RFC 6665 subscriber).
    SubscriptionKey,
    /// Somebody who watches us (RFC 6665 notifier).
    WatcherKey,
    /// An incoming request outside a dialog that awaits `answer()` or `admit_watcher()`.
    RequestKey,
    /// A request of our own outside a dialog, made by `request()`.
    SentKey,
    /// A REFER, sent or received (RFC 3515).
    ReferKey,
    /// An OPTIONS of ours that asks whether somebody is there.
    ProbeKey,
}
