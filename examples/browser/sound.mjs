// Where the sound comes from, and how it gets to Corti.

/** How long a piece of sound is, in milliseconds. Corti recommends this. */
const PIECE = 250;

/** Older versions of Safari have no WebM. */
export const audioFormat = MediaRecorder.isTypeSupported("audio/webm") ? "audio/webm" : "audio/mp4";

export function microphone() {
  return navigator.mediaDevices.getUserMedia({ audio: true });
}

/** Plays sample.wav once. */
export async function sample() {
  const file = await fetch("sample.wav");
  const context = new AudioContext();
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(await file.arrayBuffer());
  const { stream } = source.connect(context.createMediaStreamDestination());
  source.connect(context.destination);
  source.onended = () => {
    stop(stream);
    context.close();
  };
  source.start();
  return stream;
}

export function stop(sound) {
  sound.getTracks().forEach((track) => track.stop());
}

/** Sends the sound until it stops, and gives Corti's messages to `heard`. Returns when Corti has sent the last one. */
export function send(sound, socket, status, heard) {
  return new Promise((resolve, reject) => {
    let recorder;
    const isOpen = () => socket.readyState === WebSocket.OPEN;
    const forget = () => {
      if (recorder) recorder.ondataavailable = recorder.onstop = null;
    };
    // A recording begins with a header, so each connection needs a new one.
    const start = () => {
      forget();
      if (!sound.active) return socket.sendEnd({ type: "end" });
      recorder = new MediaRecorder(sound, { mimeType: audioFormat });
      recorder.ondataavailable = ({ data }) => isOpen() && socket.sendAudio(data);
      recorder.onstop = () => isOpen() && socket.sendEnd({ type: "end" });
      recorder.start(PIECE);
      status("Listening …");
    };
    socket.on("message", (message) => {
      heard(message);
      if (message.type === "CONFIG_ACCEPTED") start();
      if (message.type.toLowerCase() === "ended") resolve();
      if (message.type === "error") reject(new Error(message.error.title));
    });
    // After every other code than 1000, the SDK connects again and sends the configuration.
    socket.on("close", ({ code }) => {
      forget();
      if (code === 1000) reject({ body: { code: "connection_lost" } });
      else status("The connection was lost. Connecting again …");
    });
    start();
  });
}
