//! How much of the series somebody has.

/// How much of the series somebody has, who wants to go on from there: see
/// [`ReportSeriesFold::news`](super::ReportSeriesFold::news). A new one has nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportCursor {
    /// Of each connection.
    pub(super) connections: Vec<Place>,
}

/// How much of a connection somebody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: u32,
    pub(super) rows: usize,
}

/// Up to which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Up to the last time that is full: what is told does not change before the next merge.
    Full,
    /// All. The last time may be one of which further reports replace the values, where times were
    /// merged.
    All,
}
