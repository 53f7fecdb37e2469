using System.Globalization;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Explain;

/// <summary>What was inside a forward pass.</summary>
/// <param name="Attention">Attention of the layers that were asked for, in the order in which the model computes them.</param>
/// <param name="HiddenStates">
/// What the first block reads and what each block gives, each [tokens, width]; of an encoder-decoder the decoder's.
/// </param>
public sealed record ForwardReading(IReadOnlyList<AttentionMap> Attention, IReadOnlyList<float[]> HiddenStates);

/// <summary>
/// Reads the inside of a forward pass. Attention kernels never write their probabilities down; here the queries and keys that they read
/// (and the bias, if there is one) are kept, and the probabilities are computed again from these, in double precision.
/// </summary>
internal static class ForwardReader
{
    /// <summary>Runs the model once.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="wanted">Whether the attention of a layer is wanted.</param>
    /// <param name="most">Most probabilities that may come out.</param>
    /// <exception cref="ArgumentException">There are more.</exception>
    public static ForwardReading Read(ModelConfig model, ParameterStore parameters, ModelInput input, Func<int, bool> wanted,
        long most = long.MaxValue)
    {
        var graph = new Graph(parameters.ComputeType);
        var context = input.Declare(graph, model);
        model.Forward(context);
        var taps = Taps(model, graph).Where(tap => wanted(tap.Layer)).ToList();
        if (taps.Sum(tap => tap.Cells) is var cells && cells > most)
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"the attention of {taps.Count} layers is {cells:N0} probabilities, and {most:N0} are the most: name some layers, or "
                + $"shorten the text"));
        }

        for (var i = 0; i < taps.Count; i++)
        {
            Keep(graph, Name("q", i), taps[i].Call["q"]);
            Keep(graph, Name("k", i), taps[i].Call["k"]);
            if (taps[i].Call.Find("bias") is { } bias)
                Keep(graph, Name("bias", i), bias);
        }

        for (var i = 0; i < context.HiddenStates.Count; i++)
            Keep(graph, Name("hidden", i), context.HiddenStates[i]);
        using var program = CompiledGraph.Compile(graph, parameters, new CompileOptions());
        input.Set(program);
        program.Run();
        return new ForwardReading(
            [.. taps.Select((tap, i) => Probabilities(tap, Kept("q", i), Kept("k", i),
                tap.Call.Find("bias") is null ? null : Kept("bias", i)))],
            [.. context.HiddenStates.Select((_, i) => Kept("hidden", i))]);

        float[] Kept(string what, int index)
        {
            var values = new float[graph.Outputs[Name(what, index)].Elements];
            program.Get<float>(Name(what, index), values);
            return values;
        }
    }

    /// <summary>What is known to make the scores. Anything else would make other probabilities than these here.</summary>
    private static readonly string[] Operands = ["q", "k", "v", "query_segments", "key_segments", "kv_lengths", "bias"];

    private sealed record Tap(Call Call, AttentionPart Part, int Layer)
    {
        public long Cells => Call["q"].Shape[2] * Call["q"].Shape[1] * Call["k"].Shape[1];
    }

    /// <summary>
    /// The model's attentions with their layers. Those of an encoder come before those of its decoder, in which each layer's own, which is
    /// causal, comes before that over the source.
    /// </summary>
    private static IEnumerable<Tap> Taps(ModelConfig model, Graph graph)
    {
        var calls = graph.Calls.Where(call => call.Op == Attention.Op).ToList();
        if (calls.SelectMany(call => call.Op.Operands.Where((name, i) => call.Op.AccessOf(i) == Access.In && call.Operands[i] is not null))
                .Except(Operands).FirstOrDefault() is { } other)
            throw new NotSupportedException($"attention with an operand '{other}', as the {model.ModelType} has it, cannot be explained");
        if (model is not EncoderDecoderConfig config)
        {
            var part = model.Task == ModelTask.CausalLm ? AttentionPart.Decoder : AttentionPart.Encoder;
            return calls.Select((call, layer) => new Tap(call, part, layer));
        }

        return calls.Select((call, i) => i < config.EncoderBlocks
            ? new Tap(call, AttentionPart.Encoder, i)
            : new Tap(call, call.Integer("causal") != 0 ? AttentionPart.Decoder : AttentionPart.Cross, (i - config.EncoderBlocks) / 2));
    }

    private static void Keep(Graph graph, string name, Tensor tensor) =>
        graph.Output(name, Elementwise.Cast(Views.Contiguous(tensor), DType.F32));

    private static string Name(string what, int index) => string.Create(CultureInfo.InvariantCulture, $"{what}.{index}");

    /// <summary>
    /// The input holds one text without padding, so that the mask is what the call's attributes say, and a query's position is its number.
    /// </summary>
    private static AttentionMap Probabilities(Tap tap, float[] q, float[] k, float[]? bias)
    {
        var (queries, heads, size) = ((int)tap.Call["q"].Shape[1], (int)tap.Call["q"].Shape[2], (int)tap.Call["q"].Shape[3]);
        var (keys, groups) = ((int)tap.Call["k"].Shape[1], (int)tap.Call["k"].Shape[2]);
        var scale = tap.Call.Number("scale") is var given && given != 0 ? given : 1 / Math.Sqrt(size);
        var (causal, window) = (tap.Call.Integer("causal") != 0, tap.Call.Integer("window"));
        var map = new AttentionMap(tap.Part, tap.Layer, heads, queries, keys, new float[checked(heads * queries * keys)]);
        Parallel.For(0, heads * queries, row =>
        {
            var (head, query) = Math.DivRem(row, queries);
            var group = head / (heads / groups);
            var end = causal ? query + 1 : keys;
            var begin = window > 0 ? Math.Max(0, end - (int)window) : 0;
            var scores = new double[end - begin];
            for (var s = 0; s < scores.Length; s++)
            {
                var (at, other) = (((query * heads) + head) * size, (((begin + s) * groups) + group) * size);
                for (var i = 0; i < size; i++)
                    scores[s] += (double)q[at + i] * k[other + i];
                scores[s] = (scores[s] * scale) + Bias(head, begin + s - query);
            }

            var most = scores.Max();
            var total = scores.Sum(score => Math.Exp(score - most));
            for (var s = 0; s < scores.Length; s++)
                map.Probabilities[(row * keys) + begin + s] = (float)(Math.Exp(scores[s] - most) / total);
        });
        return map;

        // A table of distances has as many to either side of 0; its ends stand for all that is farther.
        double Bias(int head, int distance)
        {
            if (bias is null)
                return 0;
            var most = bias.Length / heads / 2;
            return bias[((Math.Clamp(distance, -most, most) + most) * heads) + head];
        }
    }
}
