//! Keys, keymap and small rules of the console, told as sentences. The screens are in `tests/screens.rs`.
