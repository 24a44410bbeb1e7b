//! Prompt packs: recordings read once, levelled and encoded once into frames that all calls share.
