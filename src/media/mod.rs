//! One call's sound: frames to RTP and back. No device, no socket, no clock.
