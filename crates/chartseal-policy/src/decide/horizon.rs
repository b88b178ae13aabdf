use crate::{Actor, Time, Window};

/// The next instant at which something that the answer rests on could change.
///
/// Whoever reads a condition that depends on time reports its bounds here; the earliest that lies
/// ahead remains.
#[derive(Clone, Copy)]
pub(super) struct Horizon {
    now: Time,
    next: Option<Time>,
}

impl Horizon {
    pub(super) fn after(now: Time) -> Self {
        Self { now, next: None }
    }

    pub(super) fn next(self) -> Option<Time> {
        self.next
    }

    pub(super) fn at(&mut self, time: Time) {
        if time > self.now {
            self.next = Some(self.next.map_or(time, |next| next.min(time)));
        }
    }

    pub(super) fn at_some(&mut self, time: Option<Time>) {
        if let Some(time) = time {
            self.at(time);
        }
    }

    pub(super) fn window(&mut self, window: &Window) {
        self.at_some(window.from);
        self.at_some(window.until);
    }

    pub(super) fn standing(&mut self, actor: &Actor) {
        self.at_some(actor.suspended_from);
        for window in actor.credential.iter().flatten() {
            self.window(window);
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.at_some(other.next);
    }
}
