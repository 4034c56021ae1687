//! What happens in a world, step by step; drawn at random, written as it is pasted into a test.

/// One thing that happens. Numbers of clients and completions are taken modulo how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    /// A client has so many things to say.
    Emit(u8, u16),
    Connect(u8),
    /// So many frames of a client arrive at the server.
    Up(u8, u16),
    /// What the server has sent to a client arrives.
    Down(u8),
    /// The last frame of a client that has numbers arrives once more.
    Duplicate(u8),
    /// Two frames that are under way change places: a client that breaks the protocol.
    Reorder(u8),
    Keepalive(u8),
    /// The connection is lost; whether the server notices.
    Cut(u8, bool),
    /// Frames of connections that were lost arrive; whether their ends do too.
    Late(u8, bool),
    /// The client says good-bye, and another one comes in its place.
    Leave(u8),
    /// The driver gets on with what is for the journal, so far.
    Journal(Journaling),
    /// One of the sessions that ended gets on by one step, or fails to.
    Complete(u8, bool),
    /// The process dies after it has done so many more things, of which the journal keeps so many
    /// lines that nobody was told of. Then it starts again; it dies once more while it recovers if the
    /// last number is not 0.
    Crash(u8, u8, u8),
    /// The process ends in good order and starts again.
    Restart,
    /// Milliseconds.
    Wait(u16),
    /// Minutes.
    Sleep(u8),
    /// Somebody sets the clock, by so many seconds.
    SetClock(i32),
}

/// How a journal answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Journaling {
    Works,
    /// An error of the store, which has stored so many of the lines.
    Fails(u8),
    /// One of the logs never takes another line.
    Refuses(u8),
}

/// A generator of numbers that nobody has to guess (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: u16) -> u16 {
        u16::try_from(self.next() % u64::from(end)).unwrap()
    }

    fn small(&mut self, end: u8) -> u8 {
        u8::try_from(self.below(u16::from(end))).unwrap()
    }

    fn flip(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}

/// A schedule of so many steps. `mood` tells what goes wrong in it how often, so that schedules differ
/// in more than the order of what happens.
pub(crate) fn draw(random: &mut Random, length: usize, clients: u8) -> Vec<Step> {
    let mood = Mood::draw(random);
    (0..length)
        .map(|_| draw_step(random, &mood, clients))
        .collect()
}

/// Weights of what is rare.
struct Mood {
    crash: u16,
    journal: u16,
    journal_fails: u16,
    journal_refuses: u16,
    cut: u16,
    sleep: u16,
}

impl Mood {
    fn draw(random: &mut Random) -> Self {
        let mut one_of = |weights: [u16; 4]| weights[usize::from(random.below(4))];
        Self {
            crash: one_of([0, 2, 10, 40]),
            journal: one_of([200, 200, 60, 10]),
            journal_fails: one_of([0, 10, 40, 160]),
            journal_refuses: one_of([0, 0, 4, 20]),
            cut: one_of([5, 30, 60, 120]),
            sleep: one_of([0, 2, 8, 30]),
        }
    }
}

fn draw_step(random: &mut Random, mood: &Mood, clients: u8) -> Step {
    let client = random.small(clients);
    let weights = [
        220,
        90,
        200,
        120,
        20,
        2,
        20,
        mood.cut,
        50,
        5,
        mood.journal,
        mood.journal_fails,
        mood.journal_refuses,
        60,
        30,
        mood.crash,
        mood.crash / 4,
        60,
        mood.sleep,
        8,
    ];
    let mut at = random.below(weights.iter().sum());
    let which = weights.iter().position(|weight| {
        let is_here = at < *weight;
        at = at.saturating_sub(*weight);
        is_here
    });
    match which.unwrap() {
        0 if random.below(40) == 0 => Step::Emit(client, random.below(400)),
        0 => Step::Emit(client, 1 + random.below(12)),
        1 => Step::Connect(client),
        2 if random.below(20) == 0 => Step::Up(client, 1_500),
        2 => Step::Up(client, 1 + random.below(20)),
        3 => Step::Down(client),
        4 => Step::Duplicate(client),
        5 => Step::Reorder(client),
        6 => Step::Keepalive(client),
        7 => Step::Cut(client, random.flip()),
        8 => Step::Late(client, random.flip()),
        9 => Step::Leave(client),
        10 => Step::Journal(Journaling::Works),
        11 => Step::Journal(Journaling::Fails(random.small(12))),
        12 => Step::Journal(Journaling::Refuses(random.small(8))),
        13 => Step::Complete(random.small(8), true),
        14 => Step::Complete(random.small(8), false),
        15 => {
            let again = if random.below(4) == 0 {
                1 + random.small(12)
            } else {
                0
            };
            Step::Crash(random.small(30), random.small(12), again)
        }
        16 => Step::Restart,
        17 => Step::Wait(random.below(5_000)),
        18 => Step::Sleep(1 + random.small(20)),
        _ => Step::SetClock(i32::from(random.below(20_000)) - 10_000),
    }
}

/// As Rust source.
pub(crate) fn to_source(steps: &[Step]) -> String {
    let mut text = String::from("&[\n");
    for step in steps {
        text.push_str("    Step::");
        let step = format!("{step:?}");
        text.push_str(&step.replace("Journal(", "Journal(Journaling::"));
        text.push_str(",\n");
    }
    text.push(']');
    text
}
