/**
 * The waves of a generated heartbeat: P, Q, R, S and T of the model in ecg.ts, and the shapes that they have in
 * premature beats.
 */

/** One bump of a beat. */
export interface Wave {
  /** Height, mV; negative points down. */
  height: number;
  /** Centre, seconds from the beat's R peak. */
  time: number;
  /** Width: the standard deviation of a Gaussian, seconds. */
  width: number;
  /** Power of the RR interval (in seconds) by which `time` grows; 0 if it does not. As in ECGSYN for P and T. */
  stretch: number;
}

/** How one (imagined) person's heart beats. */
export interface Heart {
  /** A beat from the sinus node. */
  normal: Wave[];
  /** A premature atrial beat: another P wave, the same QRS complex. */
  atrial: Wave[];
  /** Premature ventricular beats, a shape for each place that they come from: no P wave, a wide QRS complex, a T wave of the opposite direction. */
  ventricular: Wave[][];
  /** Beats a minute at rest. */
  heartRate: number;
  /** When premature beats come, as a share of the sinus interval, and how much that varies (standard deviation, relative). */
  coupling: { atrial: number; ventricular: number; variation: number };
}

/**
 * Heights and widths follow from Table I of McSharry et al. (see ecg.ts) at 60 beats a minute: time θ / 2π, width
 * b / 2π, and height proportional to a b², scaled to 1.2 mV for R (the paper scales its signal to -0.4 to 1.2 mV).
 */
const TABLE = [
  { theta: -Math.PI / 3, a: 1.2, b: 0.25, stretch: 0.75 },
  { theta: -Math.PI / 12, a: -5, b: 0.1, stretch: 0 },
  { theta: 0, a: 30, b: 0.1, stretch: 0 },
  { theta: Math.PI / 12, a: -7.5, b: 0.1, stretch: 0 },
  { theta: Math.PI / 2, a: 0.75, b: 0.4, stretch: 0.75 },
] as const;

const SCALE = 1.2 / (30 * 0.1 ** 2);

/** P, Q, R, S, T of the paper. */
export function paperWaves(): Wave[] {
  return TABLE.map(({ theta, a, b, stretch }) => ({
    height: a * b * b * SCALE,
    time: theta / (2 * Math.PI),
    width: b / (2 * Math.PI),
    stretch,
  }));
}

/** The paper's beat, and premature beats of a common shape. */
export function standardHeart(): Heart {
  const normal = paperWaves();
  const [p, ...rest] = normal;
  return {
    normal,
    atrial: [{ ...p!, height: -0.5 * p!.height, time: 0.8 * p!.time }, ...rest],
    ventricular: [
      [
        { height: 1.7, time: 0, width: 0.036, stretch: 0 },
        { height: -0.7, time: 0.1, width: 0.035, stretch: 0 },
        { height: -0.45, time: 0.29, width: 0.07, stretch: 0.75 },
      ],
    ],
    heartRate: 68,
    coupling: { atrial: 0.68, ventricular: 0.6, variation: 0.03 },
  };
}

/**
 * A heart unlike the others: shapes, rate and coupling drawn around those of the standard one.
 * @param random uniform numbers of [0, 1)
 */
export function drawHeart(random: () => number): Heart {
  const between = (low: number, high: number) => low + (high - low) * random();
  const heart = standardHeart();
  const size = between(0.6, 1.6);
  const [p, q, r, s, t] = heart.normal.map((wave) => ({
    ...wave,
    height: wave.height * size * between(0.7, 1.3),
    width: wave.width * between(0.8, 1.25),
  })) as [Wave, Wave, Wave, Wave, Wave];
  p.height *= between(0.3, 1.3);
  q.height *= between(0, 1.5);
  s.height *= between(0, 3);
  t.height *= random() < 0.15 ? -between(0.3, 0.8) : between(0.4, 1.3);
  t.time *= between(0.9, 1.15);
  heart.normal = [p, q, r, s, t];
  const early = { ...p, height: p.height * between(-1, 1), time: p.time * between(0.6, 1) };
  heart.atrial = [early, { ...q }, { ...r, height: r.height * between(0.85, 1.1) }, { ...s }, { ...t }];
  const [shape] = heart.ventricular;
  const places = 1 + Math.floor(3 * random() ** 2);
  heart.ventricular = Array.from({ length: places }, () =>
    drawVentricular(shape as [Wave, Wave, Wave], size, between),
  );
  heart.heartRate = between(52, 96);
  heart.coupling = {
    atrial: between(0.55, 0.85),
    ventricular: between(0.45, 0.9),
    variation: between(0.01, 0.08),
  };
  return heart;
}

function drawVentricular(
  [main, after, repolarisation]: [Wave, Wave, Wave],
  size: number,
  between: (low: number, high: number) => number,
): Wave[] {
  const up = between(0, 1) < 0.65 ? 1 : -1;
  const wide = between(0.65, 1.3);
  return [
    // what comes first may go either way
    {
      ...main,
      height: main.height * size * between(-0.35, 0.35),
      time: -0.07 * wide * between(0.7, 1.2),
      width: 0.7 * main.width * wide,
    },
    { ...main, height: up * main.height * size * between(0.35, 1.4), width: main.width * wide },
    {
      ...after,
      height: up * after.height * size * between(-0.3, 1.6),
      time: after.time * wide * between(0.7, 1.1),
      width: after.width * wide,
    },
    {
      ...repolarisation,
      height: up * repolarisation.height * size * between(0.3, 1.8),
      time: repolarisation.time * between(0.95, 1.2),
    },
  ];
}
