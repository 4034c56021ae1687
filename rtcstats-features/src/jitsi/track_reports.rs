//! What reports say of the tracks of a connection (§11.6).

use rtcstats_proto::stats::{Stats, StatsKind, StatsObject};
use serde_json::Value as Json;

use super::StatsFormat;
use super::budget::Budget;
use super::packets::RtpPlaces;
use super::remote_losses::RemoteLosses;
use super::tracks::TrackStates;
use crate::room::fill;

/// The tracks of a connection, and the objects that tell of them.
#[derive(Default)]
pub(super) struct TrackReports {
    /// In the order of the report.
    objects: Vec<TrackObject>,
    remote_losses: RemoteLosses,
    pub(super) tracks: TrackStates,
}

/// An object that may say something of a track.
struct TrackObject {
    slot: u32,
    /// None if it does so only to [`RemoteLosses`].
    places: Option<RtpPlaces>,
    /// The SSRC that it had last, if that was a number, and the number of its track.
    known: Option<(f64, u32)>,
}

impl TrackReports {
    /// Finds the objects to look at, where the layout of the stats is a new one.
    pub(super) fn arrange(&mut self, stats: &Stats, format: StatsFormat) {
        let objects = stats.iter().filter(|object| object.is_object());
        fill(
            &mut self.objects,
            objects.filter_map(|object| TrackObject::of(object, format)),
        );
    }

    /// Takes a report. In a partial one what the remote reports is not in the report of the object that
    /// refers to it.
    pub(super) fn take(
        &mut self,
        stats: &Stats,
        is_partial: bool,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        for source in &mut self.objects {
            let Some(object) = stats.at(source.slot) else {
                continue;
            };
            if let Some(places) = &mut source.places
                && let Some(mut sample) = places.sample(object, stats)
            {
                if is_partial {
                    self.remote_losses.complete(&mut sample, object);
                }
                let number = source.track(object, timestamp, &mut self.tracks, budget);
                if let Some(track) = number.and_then(|number| self.tracks.get_mut(number)) {
                    track.note_time(timestamp);
                    track.take(&sample, budget);
                }
            }
            if is_partial {
                self.remote_losses.note(object, budget);
            }
        }
    }

    /// See [`TrackStates::set_video_type`].
    pub(super) fn set_video_type(
        &mut self,
        ssrc: Option<&Json>,
        video_type: Option<&Json>,
        timestamp: Option<f64>,
        budget: &mut Budget<'_>,
    ) {
        let tracks = &mut self.tracks;
        tracks.set_video_type(ssrc, video_type, timestamp, budget);
        self.objects
            .iter_mut()
            .for_each(|object| object.known = None);
    }
}

impl TrackObject {
    fn of(object: StatsObject<'_>, format: StatsFormat) -> Option<Self> {
        let places = RtpPlaces::of(object, format);
        let is_remote = object.kind() == Some(StatsKind::RemoteInboundRtp);
        (places.is_some() || is_remote).then(|| Self {
            slot: object.slot(),
            places,
            known: None,
        })
    }

    /// The number of the track that it is of, which may be new.
    #[inline]
    fn track(
        &mut self,
        object: StatsObject<'_>,
        timestamp: Option<f64>,
        tracks: &mut TrackStates,
        budget: &mut Budget<'_>,
    ) -> Option<usize> {
        let place = self.places.as_ref()?.ssrc;
        let number = place.number(object);
        match (self.known, number) {
            (Some((known, track)), Some(ssrc)) if known == ssrc => return Some(track as usize),
            _ => {}
        }
        let track = tracks.find_or_add(place.get(object), timestamp, budget)?;
        self.known = number.zip(u32::try_from(track).ok());
        Some(track)
    }
}
