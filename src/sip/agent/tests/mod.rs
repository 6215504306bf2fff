//! Tests of the agent in virtual time.
