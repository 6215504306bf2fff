//! The agent in virtual time: two or more of them, or one and a script, over a wire of any weather.

mod calls;
mod challenges;
mod dialogs;
mod early;
mod events;
mod failover;
mod flows;
mod flows_of_rfcs;
mod hostile;
mod moving;
mod net;
mod redirects;
mod refers;
mod registrations;
mod requests;
mod sessions;
mod subscriptions;
mod weather;
mod wire;

use super::*;
use crate::sip::Reason;
use crate::sip::message::{Message, Uri};
use wire::*;

const OFFER: &[u8] = b"v=0 offer";
const ANSWER: &[u8] = b"v=0 answer";

fn to(port: u16) -> Uri {
    Uri::at("you", at(port).address)
}

fn invite(port: u16) -> Invite {
    Invite {
        account: None,
        from: Some(crate::sip::message::NameAddr::new(Uri::sip("me", "127.0.0.1"))),
        target: to(port),
        send_to: at(port),
        sdp: OFFER.to_vec(),
        headers: Vec::new(),
    }
}

/// The only call that this agent was offered or made.
fn the_call(world: &World, who: Peer) -> CallKey {
    *world.agents[&who].calls.keys().next().expect("a call")
}

/// Two agents and a call that both have confirmed.
fn in_a_call(seed: u64) -> (World, Peer, Peer, CallKey, CallKey) {
    let mut world = World::new(seed, Weather::default());
    let (alice, bob) = (world.add(6001), world.add(6002));
    let ours = world.with(alice, |ua, now| ua.invite(now, invite(6002)));
    world.run(ms(10));
    let theirs = the_call(&world, bob);
    world.with(bob, |ua, now| ua.accept(now, theirs, ANSWER.to_vec()));
    world.run(ms(10));
    world.names(alice);
    world.names(bob);
    world.sent.clear();
    (world, alice, bob, ours, theirs)
}
