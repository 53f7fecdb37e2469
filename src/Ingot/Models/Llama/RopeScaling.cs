using System.Text.Json.Nodes;

namespace Ingot.Models.Llama;

/// <summary>
/// How the frequencies of rotary positions are stretched so that a model reaches further than it was first trained: rope_scaling of
/// config.json in version 4 of Hugging Face's transformers, rope_parameters in version 5. Formulas as there.
/// </summary>
public abstract record RopeScaling
{
    private RopeScaling()
    {
    }

    /// <summary>How many times longer contexts become.</summary>
    public required double Factor { get; init; }

    /// <summary>rope_type: "linear", "llama3" or "yarn".</summary>
    public abstract string Type { get; }

    /// <summary>What cos and sin are multiplied with.</summary>
    public virtual double Amplitude => 1;

    /// <summary>The stretched frequency of a pair of dimensions.</summary>
    /// <param name="frequency">θ^(-2 · pair / headSize), radians a position.</param>
    /// <param name="pair">Index of the pair, 0 … headSize / 2 − 1.</param>
    /// <param name="headSize">Dimensions of a head.</param>
    /// <param name="theta">Base of the angles.</param>
    public abstract double Stretch(double frequency, int pair, int headSize, double theta);

    /// <summary>Position interpolation (Chen et al. 2023): all frequencies are divided by the factor.</summary>
    public sealed record Linear : RopeScaling
    {
        /// <inheritdoc/>
        public override string Type => "linear";

        /// <inheritdoc/>
        public override double Stretch(double frequency, int pair, int headSize, double theta) => frequency / Factor;
    }

    /// <summary>Llama 3.1 (Grattafiori et al. 2024): long waves are stretched, short ones stay, those between are blended.</summary>
    public sealed record Llama3 : RopeScaling
    {
        /// <summary>low_freq_factor: waves longer than the original context divided by it are stretched in full.</summary>
        public required double LowFrequencyFactor { get; init; }

        /// <summary>high_freq_factor: waves shorter than the original context divided by it stay.</summary>
        public required double HighFrequencyFactor { get; init; }

        /// <summary>original_max_position_embeddings: the context of the first training.</summary>
        public required int OriginalPositions { get; init; }

        /// <inheritdoc/>
        public override string Type => "llama3";

        /// <inheritdoc/>
        public override double Stretch(double frequency, int pair, int headSize, double theta)
        {
            var waves = OriginalPositions * frequency / (2 * Math.PI); // In the original context.
            if (waves < LowFrequencyFactor)
                return frequency / Factor;
            if (waves > HighFrequencyFactor)
                return frequency;
            var kept = (waves - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
            return ((1 - kept) * frequency / Factor) + (kept * frequency);
        }
    }

    /// <summary>YaRN (Peng et al. 2023): as Llama 3's, blended over the index of the dimension, and with a sharper attention.</summary>
    public sealed record Yarn : RopeScaling
    {
        /// <summary>original_max_position_embeddings: the context of the first training.</summary>
        public required int OriginalPositions { get; init; }

        /// <summary>beta_fast: waves that turn more often than this in the original context stay.</summary>
        public double BetaFast { get; init; } = 32;

        /// <summary>beta_slow: waves that turn less often than this in the original context are stretched in full.</summary>
        public double BetaSlow { get; init; } = 1;

        /// <summary>attention_factor; null for 0.1 · ln(factor) + 1.</summary>
        public double? AttentionFactor { get; init; }

        /// <inheritdoc/>
        public override string Type => "yarn";

        /// <inheritdoc/>
        public override double Amplitude => AttentionFactor ?? (Factor <= 1 ? 1 : (0.1 * Math.Log(Factor)) + 1);

        /// <inheritdoc/>
        public override double Stretch(double frequency, int pair, int headSize, double theta)
        {
            var low = Math.Max(Math.Floor(PairThatTurns(BetaFast)), 0);
            var high = Math.Min(Math.Ceiling(PairThatTurns(BetaSlow)), headSize - 1);
            var stretched = Math.Clamp((pair - low) / (high == low ? 0.001 : high - low), 0, 1);
            return (frequency / Factor * stretched) + (frequency * (1 - stretched));

            double PairThatTurns(double times) =>
                headSize * Math.Log(OriginalPositions / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
        }
    }

    /// <summary>Reads the rotary settings of a config.json of either version: the base of the angles, and how they are stretched.</summary>
    /// <exception cref="FormatException">A setting is missing, wrong or not supported; the message names it.</exception>
    internal static (double Theta, RopeScaling? Scaling) Read(ConfigKeys config, int positions)
    {
        var older = config.Section("rope_scaling");
        var rope = config.Section("rope_parameters") ?? older;
        var theta = config.Number("rope_theta", 10000);
        if (rope is null)
            return (theta, null);
        theta = rope.Number("rope_theta", theta);
        var type = rope.Text("rope_type", rope.Text("type", "default"));
        rope.Expect("partial_rotary_factor", 1);
        RopeScaling? scaling = type switch
        {
            "default" => null,
            "linear" => new Linear { Factor = rope.Number("factor") },
            "llama3" => new Llama3
            {
                Factor = rope.Number("factor"),
                LowFrequencyFactor = rope.Number("low_freq_factor"),
                HighFrequencyFactor = rope.Number("high_freq_factor"),
                OriginalPositions = rope.Integer("original_max_position_embeddings"),
            },
            "yarn" => new Yarn
            {
                Factor = rope.Number("factor"),
                OriginalPositions = rope.Integer("original_max_position_embeddings", positions),
                BetaFast = rope.Number("beta_fast", 32),
                BetaSlow = rope.Number("beta_slow", 1),
                AttentionFactor = rope.OptionalNumber("attention_factor"),
            },
            _ => throw new FormatException(
                $"config.json: the rotary scaling '{type}' is not supported; supported are default, linear, llama3 and yarn"),
        };
        rope.Ignore("factor", "original_max_position_embeddings"); // Written without a use by some of the types.
        rope.Expect("truncate", true);
        rope.RefuseRest();
        return (theta, scaling);
    }

    /// <summary>Throws an <see cref="ArgumentException"/> that names the setting that makes no sense.</summary>
    internal void Validate()
    {
        Require(double.IsFinite(Factor) && Factor > 0, $"factor {Factor} of the rotary scaling must be above 0");
        if (this is Llama3 llama)
        {
            Require(llama.OriginalPositions > 0, $"original_max_position_embeddings {llama.OriginalPositions} must be 1 or more");
            Require(llama.LowFrequencyFactor > 0 && llama.HighFrequencyFactor > llama.LowFrequencyFactor,
                $"high_freq_factor {llama.HighFrequencyFactor} must be above low_freq_factor {llama.LowFrequencyFactor}, and that above 0");
        }

        if (this is Yarn yarn)
        {
            Require(yarn.OriginalPositions > 0, $"original_max_position_embeddings {yarn.OriginalPositions} must be 1 or more");
            Require(yarn.BetaSlow > 0 && yarn.BetaFast > yarn.BetaSlow,
                $"beta_fast {yarn.BetaFast} must be above beta_slow {yarn.BetaSlow}, and that above 0");
            Require(double.IsFinite(Amplitude) && Amplitude > 0, $"attention_factor {Amplitude} must be above 0");
        }

        static void Require(bool condition, string message)
        {
            if (!condition)
                throw new ArgumentException(message);
        }
    }

    /// <summary>rope_scaling as version 4 has it; null for no scaling.</summary>
    internal static JsonObject? ToJson(RopeScaling? scaling) => scaling switch
    {
        null => null,
        Linear s => new() { ["rope_type"] = s.Type, ["factor"] = ModelConfig.Real(s.Factor) },
        Llama3 s => new()
        {
            ["rope_type"] = s.Type,
            ["factor"] = ModelConfig.Real(s.Factor),
            ["low_freq_factor"] = ModelConfig.Real(s.LowFrequencyFactor),
            ["high_freq_factor"] = ModelConfig.Real(s.HighFrequencyFactor),
            ["original_max_position_embeddings"] = s.OriginalPositions,
        },
        Yarn s => Present(new()
        {
            ["rope_type"] = s.Type,
            ["factor"] = ModelConfig.Real(s.Factor),
            ["original_max_position_embeddings"] = s.OriginalPositions,
            ["beta_fast"] = ModelConfig.Real(s.BetaFast),
            ["beta_slow"] = ModelConfig.Real(s.BetaSlow),
            ["attention_factor"] = s.AttentionFactor is { } amplitude ? ModelConfig.Real(amplitude) : null,
        }),
        _ => throw new NotSupportedException(scaling.Type),
    };

    private static JsonObject Present(JsonObject json) =>
        new(json.Where(pair => pair.Value is not null).Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));
}
