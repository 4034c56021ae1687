/** Sound and pictures for a call: of devices, or made here. */

const WIDTH = 640;
const HEIGHT = 360;
const FRAMES_PER_SECOND = 30;

/**
 * Sound and pictures, and how their making ends.
 *
 * @typedef {object} Media
 * @property {MediaStream} stream One audio track and one video track.
 * @property {() => void} close
 */

/**
 * Camera and microphone.
 *
 * @returns {Promise<Media>} Rejected if there are none, or if they are not allowed.
 */
export async function deviceMedia() {
    if (!navigator.mediaDevices) {
        throw new Error('this address is not a secure one, so that there are no devices');
    }
    const stream = await navigator.mediaDevices.getUserMedia({
        audio: true,
        video: { width: { ideal: WIDTH }, height: { ideal: HEIGHT } }
    });

    return { stream, close: () => stream.getTracks().forEach(track => track.stop()) };
}

/**
 * A picture that moves and a tone that swells, without any device.
 *
 * @returns {Promise<Media>}
 */
export async function drawnMedia() {
    const canvas = document.createElement('canvas');
    const sound = new AudioContext();
    const target = sound.createMediaStreamDestination();
    const closing = new AbortController();

    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    draw(canvas.getContext('2d'));
    const timer = setInterval(() => draw(canvas.getContext('2d')), 1000 / FRAMES_PER_SECOND);

    closing.signal.addEventListener('abort', () => clearInterval(timer));
    swell(sound, target);
    await sound.resume();
    const stream = new MediaStream(
        [ ...canvas.captureStream(FRAMES_PER_SECOND).getTracks(), ...target.stream.getTracks() ]);

    return {
        stream,
        close() {
            closing.abort();
            stream.getTracks().forEach(track => track.stop());
            sound.close();
        }
    };
}

/** Stripes that wander, a ball that bounces, and the time, so that delay can be seen. */
function draw(context) {
    const now = Date.now();
    const stripe = 40;

    for (let x = -stripe; x < WIDTH; x += stripe) {
        context.fillStyle = `hsl(${((x / 2) + (now / 40)) % 360} 60% 35%)`;
        context.fillRect(x + ((now / 25) % stripe), 0, stripe, HEIGHT);
    }
    context.fillStyle = 'white';
    context.beginPath();
    context.arc(bounce(now / 4, WIDTH), bounce(now / 7, HEIGHT), 30, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = 'rgb(0 0 0 / 60%)';
    context.fillRect(0, HEIGHT - 56, 270, 56);
    context.fillStyle = 'white';
    context.font = '32px monospace';
    context.fillText(new Date(now).toISOString().slice(11, 23), 16, HEIGHT - 18);
}

/** There and back again, within the edges. */
function bounce(way, length) {
    const room = length - 60;
    const place = way % (2 * room);

    return 30 + (place < room ? place : (2 * room) - place);
}

/** A tone whose loudness goes up and down. */
function swell(sound, target) {
    const tone = new OscillatorNode(sound, { frequency: 330 });
    const loudness = new GainNode(sound, { gain: 0.2 });
    const change = new OscillatorNode(sound, { frequency: 0.25 });
    const depth = new GainNode(sound, { gain: 0.15 });

    tone.connect(loudness).connect(target);
    change.connect(depth).connect(loudness.gain);
    tone.start();
    change.start();
}
