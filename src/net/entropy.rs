//! The operating system's random generator, reached here and nowhere else.

use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

use crate::base::random::Random;

/// Randomness from the operating system's generator, fit for codes, tags and nonces. Making one costs nothing, each
/// draw is a system call.
///
/// Drawing panics when the operating system has no randomness to give: nothing secret may be made then.
pub fn system() -> Random {
    Random::new(UnwrapErr(SysRng))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let mut random = system();
        assert_ne!(random.token(), random.token());
        assert_ne!(system().token(), system().token());
    }
}
