//! What `chrome://webrtc-internals` derives from counters, under its names; and what it does not, under names like
//! them.

use rtcstats_proto::stats::Field;

use super::MemberSeries;
use super::column::Column;

/// A number that is derived.
struct Derived {
    of: Field,
    name: &'static str,
    unit: &'static str,
    rule: Rule,
}

/// How a number is derived of the growth of counters between two reports.
#[derive(Clone, Copy)]
enum Rule {
    /// By seconds, times a factor.
    PerSecond(f64),
    /// By the growth of another counter, times a factor.
    Per(Field, f64),
    /// The square root by the growth of another counter.
    RootPer(Field),
    /// The standard deviation of durations, of which the counter sums the squares, in milliseconds.
    Deviation { sum: Field, count: Field },
}

const BITS: f64 = 8.0;
const MILLISECONDS: f64 = 1_000.0;

/// Declares the table: `counter "name" "unit" rule`.
macro_rules! derived {
    ($($of:ident $name:literal $unit:literal $rule:expr,)*) => {
        &[$(Derived { of: Field::$of, name: $name, unit: $unit, rule: $rule },)*]
    };
}

/// Each that an object has the counters for is a series of it.
const TABLE: &[Derived] = derived! {
    // Bytes and packets
    BytesSent "[bytesSent_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    BytesReceived "[bytesReceived_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    HeaderBytesSent "[headerBytesSent_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    HeaderBytesReceived "[headerBytesReceived_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    RetransmittedBytesSent "[retransmittedBytesSent_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    RetransmittedBytesReceived "[retransmittedBytesReceived_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    FecBytesReceived "[fecBytesReceived_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    TotalEncodedBytesTarget "[totalEncodedBytesTarget_in_bits/s]" "bit/s" Rule::PerSecond(BITS),
    PacketsSent "[packetsSent/s]" "1/s" Rule::PerSecond(1.0),
    PacketsReceived "[packetsReceived/s]" "1/s" Rule::PerSecond(1.0),
    PacketsLost "[packetsLost/s]" "1/s" Rule::PerSecond(1.0),
    PacketsDiscarded "[packetsDiscarded/s]" "1/s" Rule::PerSecond(1.0),
    PacketsDiscardedOnSend "[packetsDiscardedOnSend/s]" "1/s" Rule::PerSecond(1.0),
    RetransmittedPacketsSent "[retransmittedPacketsSent/s]" "1/s" Rule::PerSecond(1.0),
    RetransmittedPacketsReceived "[retransmittedPacketsReceived/s]" "1/s" Rule::PerSecond(1.0),
    FecPacketsReceived "[fecPacketsReceived/s]" "1/s" Rule::PerSecond(1.0),
    TotalPacketSendDelay "[totalPacketSendDelay/packetsSent_in_ms]" "ms" Rule::Per(Field::PacketsSent, MILLISECONDS),
    NackCount "[nackCount/s]" "1/s" Rule::PerSecond(1.0),
    PliCount "[pliCount/s]" "1/s" Rule::PerSecond(1.0),
    FirCount "[firCount/s]" "1/s" Rule::PerSecond(1.0),
    // Frames
    Frames "[frames/s]" "1/s" Rule::PerSecond(1.0),
    FramesSent "[framesSent/s]" "1/s" Rule::PerSecond(1.0),
    FramesEncoded "[framesEncoded/s]" "1/s" Rule::PerSecond(1.0),
    FramesReceived "[framesReceived/s]" "1/s" Rule::PerSecond(1.0),
    FramesDecoded "[framesDecoded/s]" "1/s" Rule::PerSecond(1.0),
    FramesDropped "[framesDropped/s]" "1/s" Rule::PerSecond(1.0),
    FramesRendered "[framesRendered/s]" "1/s" Rule::PerSecond(1.0),
    KeyFramesEncoded "[keyFramesEncoded/s]" "1/s" Rule::PerSecond(1.0),
    KeyFramesDecoded "[keyFramesDecoded/s]" "1/s" Rule::PerSecond(1.0),
    HugeFramesSent "[hugeFramesSent/s]" "1/s" Rule::PerSecond(1.0),
    TotalEncodeTime "[totalEncodeTime/framesEncoded_in_ms]" "ms" Rule::Per(Field::FramesEncoded, MILLISECONDS),
    TotalDecodeTime "[totalDecodeTime/framesDecoded_in_ms]" "ms" Rule::Per(Field::FramesDecoded, MILLISECONDS),
    TotalAssemblyTime "[totalAssemblyTime/framesAssembledFromMultiplePackets_in_ms]" "ms" Rule::Per(Field::FramesAssembledFromMultiplePackets, MILLISECONDS),
    TotalInterFrameDelay "[totalInterFrameDelay/framesDecoded_in_ms]" "ms" Rule::Per(Field::FramesDecoded, MILLISECONDS),
    TotalSquaredInterFrameDelay "[interFrameDelayStDev_in_ms]" "ms" Rule::Deviation { sum: Field::TotalInterFrameDelay, count: Field::FramesDecoded },
    // Of senders; receivers decode
    QpSum "[qpSum/framesEncoded]" "" Rule::Per(Field::FramesEncoded, 1.0),
    QpSum "[qpSum/framesDecoded]" "" Rule::Per(Field::FramesDecoded, 1.0),
    TotalCorruptionProbability "[totalCorruptionProbability/corruptionMeasurements]" "" Rule::Per(Field::CorruptionMeasurements, 1.0),
    FreezeCount "[freezeCount/s]" "1/s" Rule::PerSecond(1.0),
    TotalFreezesDuration "[totalFreezesDuration/s]" "" Rule::PerSecond(1.0),
    PauseCount "[pauseCount/s]" "1/s" Rule::PerSecond(1.0),
    // Jitter buffer and sound
    JitterBufferDelay "[jitterBufferDelay/jitterBufferEmittedCount_in_ms]" "ms" Rule::Per(Field::JitterBufferEmittedCount, MILLISECONDS),
    JitterBufferTargetDelay "[jitterBufferTargetDelay/jitterBufferEmittedCount_in_ms]" "ms" Rule::Per(Field::JitterBufferEmittedCount, MILLISECONDS),
    JitterBufferMinimumDelay "[jitterBufferMinimumDelay/jitterBufferEmittedCount_in_ms]" "ms" Rule::Per(Field::JitterBufferEmittedCount, MILLISECONDS),
    TotalProcessingDelay "[totalProcessingDelay/jitterBufferEmittedCount_in_ms]" "ms" Rule::Per(Field::JitterBufferEmittedCount, MILLISECONDS),
    TotalSamplesReceived "[totalSamplesReceived/s]" "1/s" Rule::PerSecond(1.0),
    ConcealedSamples "[concealedSamples/s]" "1/s" Rule::PerSecond(1.0),
    ConcealedSamples "[concealedSamples/totalSamplesReceived]" "" Rule::Per(Field::TotalSamplesReceived, 1.0),
    SilentConcealedSamples "[silentConcealedSamples/s]" "1/s" Rule::PerSecond(1.0),
    ConcealmentEvents "[concealmentEvents/s]" "1/s" Rule::PerSecond(1.0),
    InsertedSamplesForDeceleration "[insertedSamplesForDeceleration/s]" "1/s" Rule::PerSecond(1.0),
    InsertedSamplesForDeceleration "[insertedSamplesForDeceleration/totalSamplesReceived]" "" Rule::Per(Field::TotalSamplesReceived, 1.0),
    RemovedSamplesForAcceleration "[removedSamplesForAcceleration/s]" "1/s" Rule::PerSecond(1.0),
    RemovedSamplesForAcceleration "[removedSamplesForAcceleration/totalSamplesReceived]" "" Rule::Per(Field::TotalSamplesReceived, 1.0),
    TotalAudioEnergy "[Audio_Level_in_RMS]" "" Rule::RootPer(Field::TotalSamplesDuration),
    TotalPlayoutDelay "[totalPlayoutDelay/totalSamplesCount]" "s" Rule::Per(Field::TotalSamplesCount, 1.0),
    SynthesizedSamplesDuration "[synthesizedSamplesDuration/s]" "" Rule::PerSecond(1.0),
    // Round-trip times
    TotalRoundTripTime "[totalRoundTripTime/roundTripTimeMeasurements]" "s" Rule::Per(Field::RoundTripTimeMeasurements, 1.0),
    TotalRoundTripTime "[totalRoundTripTime/responsesReceived]" "s" Rule::Per(Field::ResponsesReceived, 1.0),
    RequestsSent "[requestsSent/s]" "1/s" Rule::PerSecond(1.0),
    ResponsesReceived "[responsesReceived/s]" "1/s" Rule::PerSecond(1.0),
    // Data channels
    MessagesSent "[messagesSent/s]" "1/s" Rule::PerSecond(1.0),
    MessagesReceived "[messagesReceived/s]" "1/s" Rule::PerSecond(1.0),
};

/// When the values of an object are of.
#[derive(Clone, Copy)]
pub(super) enum Clock<'a> {
    /// The times of the reports.
    Report(&'a [f64]),
    /// Those that it tells itself.
    Told(&'a Column),
}

impl Clock<'_> {
    /// In seconds.
    fn at(self, row: usize) -> Option<f64> {
        let milliseconds = match self {
            Self::Report(times) => *times.get(row)?,
            Self::Told(column) => column.get(row)?,
        };
        Some(milliseconds / 1_000.0)
    }
}

/// What is derived of a counter of an object with these columns, at the times `from..to`.
pub(super) fn derived_of(
    counter: &Column,
    columns: &[Column],
    clock: Clock<'_>,
    from: usize,
    to: usize,
) -> impl Iterator<Item = MemberSeries> {
    // A member of a member has the field of the outer one.
    let field = counter
        .field
        .filter(|field| field.as_str() == counter.name.as_ref());
    let rows = TABLE
        .iter()
        .filter(move |derived| Some(derived.of) == field);
    rows.filter_map(move |derived| {
        let growth = Growth::new(counter, derived.rule, columns, clock)?;
        let (first, values) = growth.values(from, to)?;
        Some(MemberSeries {
            name: derived.name.into(),
            unit: derived.unit,
            of: Some(derived.of.as_str()),
            first,
            values,
        })
    })
}

/// Counters that grow.
struct Growth<'a> {
    rule: Rule,
    counter: &'a Column,
    /// What the rule divides by, where that is a counter.
    divisor: Option<&'a Column>,
    /// Another one that the rule wants.
    sum: Option<&'a Column>,
    clock: Clock<'a>,
}

impl<'a> Growth<'a> {
    /// `None` if a counter is missing.
    fn new(
        counter: &'a Column,
        rule: Rule,
        columns: &'a [Column],
        clock: Clock<'a>,
    ) -> Option<Self> {
        let column = |field: Field| {
            let mut columns = columns.iter();
            columns.find(|column| column.field == Some(field))
        };
        let (divisor, sum) = match rule {
            Rule::PerSecond(_) => (None, None),
            Rule::Per(field, _) | Rule::RootPer(field) => (Some(column(field)?), None),
            Rule::Deviation { sum, count } => (Some(column(count)?), Some(column(sum)?)),
        };
        Some(Self {
            rule,
            counter,
            divisor,
            sum,
            clock,
        })
    }

    /// The values of the times `from..to`, and the first time that has one.
    fn values(&self, from: usize, to: usize) -> Option<(usize, Vec<f64>)> {
        let mut base = (0..from.min(self.counter.end()))
            .rev()
            .find_map(|row| self.sample(row));
        let mut found: Option<(usize, Vec<f64>)> = None;
        for row in from..to.min(self.counter.end()) {
            let Some(sample) = self.sample(row) else {
                continue;
            };
            let value = base
                .replace(sample)
                .and_then(|base| self.rate(base, sample));
            let Some(value) = value else {
                continue;
            };
            let (first, values) = found.get_or_insert_with(|| (row, Vec::new()));
            values.resize(row - *first, f64::NAN);
            values.push(value);
        }
        found
    }

    /// Counter, divisor and sum of a time, if it has all of them.
    fn sample(&self, row: usize) -> Option<[f64; 3]> {
        let counter = self.counter.get(row)?;
        let divisor = match self.divisor {
            Some(column) => column.get(row)?,
            None => self.clock.at(row)?,
        };
        let sum = match self.sum {
            Some(column) => column.get(row)?,
            None => 0.0,
        };
        Some([counter, divisor, sum])
    }

    fn rate(&self, base: [f64; 3], sample: [f64; 3]) -> Option<f64> {
        let ([counter, divisor, sum], [old_counter, old_divisor, old_sum]) = (sample, base);
        let (growth, by) = (counter - old_counter, divisor - old_divisor);
        if growth < 0.0 || by <= 0.0 {
            return None;
        }
        let value = match self.rule {
            Rule::PerSecond(factor) | Rule::Per(_, factor) => growth * factor / by,
            Rule::RootPer(_) => (growth / by).sqrt(),
            Rule::Deviation { .. } => {
                let mean = (sum - old_sum) / by;
                (growth / by - mean * mean).max(0.0).sqrt() * MILLISECONDS
            }
        };
        value.is_finite().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(field: Field, first: usize, values: &[f64]) -> Column {
        let mut column = Column::new(field.as_str().into(), Some(field), first);
        for (index, value) in values.iter().enumerate() {
            if !value.is_nan() {
                column.set(first + index, *value);
            }
        }
        column
    }

    fn derived(columns: &[Column], times: &[f64], from: usize) -> Vec<(String, usize, Vec<f64>)> {
        let of = columns.iter().flat_map(|counter| {
            derived_of(counter, columns, Clock::Report(times), from, times.len())
        });
        of.map(|series| (series.name.into_owned(), series.first, series.values))
            .collect()
    }

    const TIMES: [f64; 5] = [1_000.0, 2_000.0, 4_000.0, 4_000.0, 5_000.0];

    #[test]
    fn rates_are_of_what_is_between_two_reports() {
        let columns = [column(Field::BytesSent, 1, &[0.0, 100.0, 100.0, 50.0])];
        let found = derived(&columns, &TIMES, 0);
        // Nothing at a time that is told twice, nor where the counter falls.
        assert_eq!(
            found,
            [("[bytesSent_in_bits/s]".to_owned(), 2, vec![400.0])]
        );
    }

    #[test]
    fn what_is_asked_for_later_goes_on_from_before() {
        let values = [0.0, f64::NAN, 30.0, f64::NAN, 50.0];
        let columns = [column(Field::PacketsSent, 0, &values)];
        let whole = derived(&columns, &TIMES, 0);
        let name = "[packetsSent/s]".to_owned();
        assert_eq!(whole.len(), 1);
        assert_eq!((&whole[0].0, whole[0].1), (&name, 2));
        assert_eq!((whole[0].2[0], whole[0].2[2]), (10.0, 20.0));
        assert!(whole[0].2[1].is_nan());
        assert_eq!(derived(&columns, &TIMES, 3), [(name, 4, vec![20.0])]);
    }

    #[test]
    fn ratios_want_both_counters_to_grow() {
        let columns = [
            column(Field::TotalEncodeTime, 0, &[0.0, 1.0, 1.0]),
            column(Field::FramesEncoded, 0, &[0.0, 50.0, 50.0]),
        ];
        let found = derived(&columns, &TIMES, 0);
        let ratio = (
            "[totalEncodeTime/framesEncoded_in_ms]".to_owned(),
            1,
            vec![20.0],
        );
        assert!(found.contains(&ratio), "{found:?}");
        assert!(derived(&columns[..1], &TIMES, 0).is_empty());
    }

    #[test]
    fn levels_and_deviations_are_those_of_the_time_between() {
        let columns = [
            column(Field::TotalAudioEnergy, 0, &[0.0, 0.25]),
            column(Field::TotalSamplesDuration, 0, &[0.0, 1.0]),
            column(Field::TotalSquaredInterFrameDelay, 0, &[0.0, 0.05]),
            column(Field::TotalInterFrameDelay, 0, &[0.0, 0.4]),
            column(Field::FramesDecoded, 0, &[0.0, 4.0]),
        ];
        let found = derived(&columns, &TIMES, 0);
        let value = |name: &str| found.iter().find(|series| series.0 == name).unwrap().2[0];
        assert_eq!(value("[Audio_Level_in_RMS]"), 0.5);
        assert!((value("[interFrameDelayStDev_in_ms]") - 50.0).abs() < 1e-9);
    }

    #[test]
    fn what_chrome_shows_in_seconds_is_in_seconds() {
        let columns = [
            column(Field::TotalRoundTripTime, 0, &[0.0, 0.5]),
            column(Field::ResponsesReceived, 0, &[0.0, 10.0]),
            column(Field::RoundTripTimeMeasurements, 0, &[0.0, 5.0]),
            column(Field::TotalPlayoutDelay, 0, &[0.0, 480.0]),
            column(Field::TotalSamplesCount, 0, &[0.0, 4_800.0]),
        ];
        let found = derived(&columns, &TIMES, 0);
        for (name, value) in [
            ("[totalRoundTripTime/responsesReceived]", 0.05),
            ("[totalRoundTripTime/roundTripTimeMeasurements]", 0.1),
            ("[totalPlayoutDelay/totalSamplesCount]", 0.1),
        ] {
            assert!(
                found.contains(&(name.to_owned(), 1, vec![value])),
                "{name}: {found:?}"
            );
            let derived = TABLE.iter().find(|derived| derived.name == name);
            assert_eq!(derived.map(|derived| derived.unit), Some("s"));
        }
    }

    #[test]
    fn names_are_unique_and_name_their_counter() {
        let mut names: Vec<_> = TABLE.iter().map(|derived| derived.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        for derived in TABLE {
            let is_own = ["[Audio_Level_in_RMS]", "[interFrameDelayStDev_in_ms]"];
            let names_it = derived.name.contains(derived.of.as_str());
            assert!(
                names_it || is_own.contains(&derived.name),
                "{}",
                derived.name
            );
        }
    }
}
