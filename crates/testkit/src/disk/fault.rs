//! Calls to a disk that are to fail. Never says what the disk holds afterwards.

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opening a file or directory.
    Open,
    /// Making a file or directory.
    Make,
    /// Giving a file another name.
    Rename,
    /// Removing a name.
    Remove,
    /// Reading from a file or listing a directory.
    Read,
    /// Writing to a file.
    Write,
    /// Setting a file's length.
    Resize,
    /// Syncing a file or directory.
    Sync,
}

impl Call {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Make,
        Self::Rename,
        Self::Remove,
        Self::Read,
        Self::Write,
        Self::Resize,
        Self::Sync,
    ];
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The kind of call.
    pub call: Call,
    /// How many of this kind still succeed.
    pub after: u64,
    /// The error number.
    pub errno: i32,
    /// Whether all later calls of the kind fail too.
    pub is_lasting: bool,
}

/// How many calls there were, and what is to fail.
#[derive(Debug, Default)]
pub(super) struct Faults {
    counts: [u64; Call::ALL.len()],
    fault: Option<Fault>,
    fired: u64,
}

impl Faults {
    pub(super) fn set(&mut self, fault: Option<Fault>) {
        self.fault = fault;
        self.fired = 0;
        self.counts = Default::default();
    }

    pub(super) fn fired(&self) -> u64 {
        self.fired
    }

    pub(super) fn counts(&self) -> [(Call, u64); Call::ALL.len()] {
        let mut all = Call::ALL.map(|call| (call, 0));
        for ((_, count), counted) in all.iter_mut().zip(self.counts) {
            *count = counted;
        }
        all
    }

    /// Counts a call; an error number when it is to fail.
    pub(super) fn check(&mut self, call: Call) -> Option<i32> {
        let count = self.counts.get_mut(call as usize)?;
        *count += 1;
        let fault = self.fault.filter(|fault| fault.call == call)?;
        let number = count.checked_sub(1)?;
        let fails = number == fault.after || (fault.is_lasting && number > fault.after);
        self.fired += u64::from(fails);
        fails.then_some(fault.errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_of_its_kind_fails_and_later_ones_if_it_lasts() {
        let mut faults = Faults::default();
        let fault = |is_lasting| Fault {
            call: Call::Sync,
            after: 1,
            errno: 5,
            is_lasting,
        };
        let mut three = |is_lasting| {
            faults.set(Some(fault(is_lasting)));
            assert_eq!(faults.check(Call::Write), None);
            [(); 3].map(|()| faults.check(Call::Sync))
        };
        assert_eq!(three(false), [None, Some(5), None]);
        assert_eq!(three(true), [None, Some(5), Some(5)]);
        assert_eq!(faults.fired(), 2);
        assert!(faults.counts().contains(&(Call::Sync, 3)));
    }
}
