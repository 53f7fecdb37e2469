using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;

namespace Ingot.Explain;

/// <summary>What a model reads, one text without padding.</summary>
/// <param name="Tokens">Ids of the text; of an encoder-decoder those that its decoder is given, the start token first.</param>
/// <param name="Source">Ids that the encoder of an encoder-decoder reads; null for other models.</param>
/// <param name="TokenTypes">Which text of a pair each token is from, for encoders; null for the first.</param>
public sealed record ModelInput(IReadOnlyList<int> Tokens, IReadOnlyList<int>? Source = null, IReadOnlyList<int>? TokenTypes = null)
{
    /// <summary>Declares the inputs of a graph that reads this.</summary>
    internal ForwardContext Declare(Graph graph, ModelConfig model)
    {
        if (model is EncoderDecoderConfig)
        {
            var source = Source ?? throw new ArgumentException($"a {model.ModelType} reads a source, and there is none");
            return ForwardContext.WithSource(graph, 1, Tokens.Count, source.Count);
        }

        return model.Task == ModelTask.CausalLm ? new ForwardContext(graph, 1, Tokens.Count)
            : ForwardContext.WithSegments(graph, 1, Tokens.Count);
    }

    /// <summary>Gives the inputs of such a graph their values.</summary>
    internal void Set(CompiledGraph program)
    {
        program.Set<int>("tokens", [.. Tokens]);
        Set(program, "positions", [.. Enumerable.Range(0, Tokens.Count)]);
        Set(program, "segments", new int[Tokens.Count]);
        Set(program, "token_types", [.. TokenTypes ?? new int[Tokens.Count]]);
        Set(program, "source", [.. Source ?? []]);
        Set(program, "source_lengths", [Source?.Count ?? 0]);
    }

    private static void Set(CompiledGraph program, string name, int[] values)
    {
        if (program.HasInput(name))
            program.Set<int>(name, values);
    }
}
