using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models;
using Microsoft.Extensions.AI;

namespace Ingot.Encoders;

/// <summary>How the hidden states of a text become one vector.</summary>
public enum Pooling
{
    /// <summary>The mean over all tokens, special ones included (Reimers and Gurevych 2019).</summary>
    Mean,

    /// <summary>That of the first token, [CLS].</summary>
    Cls,
}

/// <summary>
/// Turns texts into vectors: the pooled hidden states of an encoder, of length 1, so that the product of two is their cosine. It is an
/// <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> of Microsoft.Extensions.AI.
/// </summary>
/// <remarks>Not to be used by several threads at once.</remarks>
public sealed class SentenceEncoder : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly EncoderProgram _program;
    private readonly string _name;

    private SentenceEncoder(EncoderProgram program, string name) => (_program, _name) = (program, name);

    /// <summary>How tokens become a text's vector.</summary>
    public Pooling Pooling { get; init; }

    /// <summary>Whether vectors are made to have length 1.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Whether texts longer than the model's positions are cut; otherwise they are an error.</summary>
    public bool Truncation { get; init; }

    /// <summary>Numbers of a vector.</summary>
    public int Dimensions => _program.Model.Width;

    /// <summary>Loads an encoder from its folder, whatever head it has.</summary>
    /// <param name="folder">The model's folder.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="computeType">dtype of computations.</param>
    /// <param name="batchSize">Texts that go through the model at a time.</param>
    /// <param name="pooling">See <see cref="Pooling"/>.</param>
    /// <param name="normalize">See <see cref="Normalize"/>.</param>
    /// <param name="truncation">See <see cref="Truncation"/>.</param>
    /// <exception cref="InvalidDataException">The folder holds no encoder.</exception>
    public static SentenceEncoder Load(string folder, Device device, DType computeType = DType.F32, int batchSize = 16,
        Pooling pooling = Pooling.Mean, bool normalize = true, bool truncation = false)
    {
        var program = EncoderProgram.Load(folder, device, computeType, batchSize, model => model.ForTask(ModelTask.FeatureExtraction, []));
        var name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        return new SentenceEncoder(program, name) { Pooling = pooling, Normalize = normalize, Truncation = truncation };
    }

    /// <summary>The vectors of texts, in their order.</summary>
    /// <exception cref="InvalidDataException">A text is too long, or cannot be written in the vocabulary.</exception>
    public IReadOnlyList<float[]> Encode(IEnumerable<string> texts, CancellationToken cancellationToken = default)
    {
        var encodings = texts.Select(text => _program.Encode(text, null, Truncation)).ToList();
        return [.. _program.Run(encodings, cancellationToken).Select(Pool)];
    }

    /// <inheritdoc/>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (options?.Dimensions is { } wanted && wanted != Dimensions)
            throw new ArgumentException($"the model's vectors have {Dimensions} numbers, not {wanted}", nameof(options));
        return Task.Run(
            () => new GeneratedEmbeddings<Embedding<float>>(
                Encode(values, cancellationToken).Select(vector => new Embedding<float>(vector) { ModelId = _name })),
            cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? new EmbeddingGeneratorMetadata("ingot", null, _name, Dimensions)
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <inheritdoc/>
    public void Dispose() => _program.Dispose();

    private float[] Pool(float[] hidden)
    {
        var width = Dimensions;
        var count = Pooling == Pooling.Mean ? hidden.Length / width : 1;
        var sums = new double[width];
        for (var i = 0; i < count * width; i++)
            sums[i % width] += hidden[i];
        // Of the first token alone it is that token's own.
        var scale = 1.0 / count;
        if (Normalize)
            scale /= Math.Max(1e-12, Math.Sqrt(sums.Sum(v => v * scale * v * scale)));
        return [.. sums.Select(v => (float)(v * scale))];
    }
}
