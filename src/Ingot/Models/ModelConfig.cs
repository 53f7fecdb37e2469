using System.Text.Json.Nodes;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using Ingot.Models.Llama;

namespace Ingot.Models;

/// <summary>
/// A model: its sizes, and how it is written down as a graph. Each family is a record with the same few members; parameter
/// names are those of its Hugging Face files, so that a checkpoint needs no translation.
/// </summary>
public abstract record ModelConfig
{
    /// <summary>Hugging Face's model_type: "gpt2", "llama", "qwen2", "qwen3".</summary>
    public abstract string ModelType { get; }

    /// <summary>Number of token ids.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Most tokens of a sequence.</summary>
    public abstract int MaxPositions { get; }

    /// <summary>Number of Transformer blocks.</summary>
    public abstract int Layers { get; }

    /// <summary>Width of the residual stream.</summary>
    public abstract int Width { get; }

    /// <summary>Writes the model down: token ids of the context → hidden states [batch · length, width] after the final norm.</summary>
    public abstract Tensor Forward(ForwardContext context);

    /// <summary>The head's weight as [width, vocabulary].</summary>
    public abstract Tensor HeadWeight(Graph graph);

    /// <summary>Hugging Face's config.json.</summary>
    public abstract JsonObject ToJson();

    /// <summary>Throws an <see cref="ArgumentException"/> that names what does not fit and the way out.</summary>
    public abstract void Validate();

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="FormatException">A key is missing or wrong, or the model type is not known; the message names it.</exception>
    public static ModelConfig FromJson(JsonObject json)
    {
        var keys = new ConfigKeys(json);
        ModelConfig config = keys.Text("model_type") switch
        {
            "gpt2" => Gpt2Config.Read(keys),
            "llama" => LlamaConfig.Read(keys, LlamaFlavor.Llama),
            "qwen2" => LlamaConfig.Read(keys, LlamaFlavor.Qwen2),
            "qwen3" => LlamaConfig.Read(keys, LlamaFlavor.Qwen3),
            var other => throw new FormatException($"model_type '{other}' is not known; known are gpt2, llama, qwen2, qwen3"),
        };
        config.Validate();
        return config;
    }

    /// <summary>Parameters that the model declares, in order.</summary>
    public IReadOnlyList<ParameterInfo> DeclareParameters()
    {
        var graph = new Graph();
        Forward(new ForwardContext(graph, 1, 1));
        HeadWeight(graph);
        return graph.Parameters;
    }

    /// <summary>Floating-point operations that training takes for each token: 6 N + 6 L C T, N with a tied head once.</summary>
    public double TrainingFlopsPerToken(long length) =>
        (6.0 * DeclareParameters().Sum(p => p.Elements)) + (6.0 * Layers * Width * length);

    /// <summary>More than any published model has; far more would be a slip that takes all memory before a plan could say so.</summary>
    private const int MostLayers = 1000;

    private protected void RequireLayers(string key) =>
        Require(Layers is > 0 and <= MostLayers, $"{key} is {Layers}; a model has 1 to {MostLayers} layers");

    private protected static void Require(bool condition, string message)
    {
        if (!condition)
            throw new ArgumentException(message);
    }
}
