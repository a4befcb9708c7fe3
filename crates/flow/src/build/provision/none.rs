//! Types that stand for nothing: they take any property and make nothing. Never fails.

use super::{Built, Provisioner};

/// Gets a name and nothing else.
pub const NOTHING: Provisioner = Provisioner {
    create: |tx, job| {
        Ok(Built {
            physical_id: job.made_up(tx, 255),
            ..Default::default()
        })
    },
    update: |_, _, existing| {
        let physical_id = existing.physical_id.to_owned();
        Ok(Built {
            physical_id,
            ..Default::default()
        })
    },
    delete: |_, _, _| Ok(()),
};
