using System.Numerics;
using System.Runtime.InteropServices;
using Ingot.Graphs;

namespace Ingot.Adapters;

/// <summary>An adapter's weights for one layer, on the host, and what they do to the layer's own weight.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Scaling">s.</param>
/// <param name="A">[r, inputs].</param>
/// <param name="B">[outputs, r].</param>
/// <param name="Magnitude">m, [outputs]; null without DoRA.</param>
internal sealed record LoraWeights(LoraLayer Layer, double Scaling, float[] A, float[] B, float[]? Magnitude)
{
    /// <summary>Why DoRA cannot be unmerged.</summary>
    public const string DoraStays =
        "DoRA cannot be taken out of merged weights: these have the adapter's lengths, and their own are lost; keep the base itself";

    private int Inputs => checked((int)Layer.Inputs);

    private int Outputs => checked((int)Layer.Outputs);

    private int Rank => A.Length / Inputs;

    /// <summary>A layer's adapter as it is in memory.</summary>
    public static LoraWeights Read(ParameterStore store, LoraConfig config, LoraLayer layer) => new(layer, config.Scaling,
        store.Read(layer.Name + LoraLayers.A), store.Read(layer.Name + LoraLayers.B),
        config.UseDora ? store.Read(layer.Name + LoraLayers.Magnitude) : null);

    /// <summary>Puts the adapter into the layer's weight, which may lie either way.</summary>
    public void Merge(Span<float> weight)
    {
        Add(weight, Scaling);
        if (Magnitude is not { } m)
            return;
        var factors = Norms(Layer, weight);
        for (var o = 0; o < factors.Length; o++)
            factors[o] = m[o] / factors[o];
        for (var i = 0; i < weight.Length; i++)
            weight[i] = (float)(weight[i] * factors[Layer.IsInOut ? i % Outputs : i / Inputs]);
    }

    /// <summary>Takes the adapter out of a weight that it was merged into; the rest is what rounding left.</summary>
    /// <exception cref="NotSupportedException">DoRA: the lengths that the weights had are lost.</exception>
    public void Unmerge(Span<float> weight)
    {
        if (Magnitude is not null)
            throw new NotSupportedException(DoraStays);
        Add(weight, -Scaling);
    }

    /// <summary>‖W‖ of each output's weights.</summary>
    public static double[] Norms(LoraLayer layer, ReadOnlySpan<float> weight)
    {
        var (inputs, outputs) = ((int)layer.Inputs, (int)layer.Outputs);
        var norms = new double[outputs];
        for (var i = 0; i < weight.Length; i++)
            norms[layer.IsInOut ? i % outputs : i / inputs] += (double)weight[i] * weight[i];
        for (var o = 0; o < outputs; o++)
            norms[o] = Math.Sqrt(norms[o]);
        return norms;
    }

    /// <summary>
    /// weight += factor · B · A. Every element is computed in the same way whatever the sign, so that it can be taken back.
    /// </summary>
    private void Add(Span<float> weight, double factor)
    {
        // Rows of the weight as it lies: left [rows, r] · right [r, columns].
        var (rows, columns) = Layer.IsInOut ? (Inputs, Outputs) : (Outputs, Inputs);
        var left = Layer.IsInOut ? Transposed(A, Rank, Inputs) : B;
        var right = Layer.IsInOut ? Transposed(B, Outputs, Rank) : A;
        var sum = new float[columns];
        for (var row = 0; row < rows; row++)
        {
            Array.Clear(sum);
            for (var r = 0; r < Rank; r++)
                AddTimes(sum, right.AsSpan(r * columns, columns), left[(row * Rank) + r]);
            AddTimes(weight.Slice(row * columns, columns), sum, (float)factor);
        }
    }

    private static void AddTimes(Span<float> y, ReadOnlySpan<float> x, float factor)
    {
        var ys = MemoryMarshal.Cast<float, Vector<float>>(y);
        var xs = MemoryMarshal.Cast<float, Vector<float>>(x);
        for (var i = 0; i < ys.Length; i++)
            ys[i] += factor * xs[i];
        for (var i = ys.Length * Vector<float>.Count; i < y.Length; i++)
            y[i] += factor * x[i];
    }

    private static float[] Transposed(float[] x, int rows, int columns)
    {
        var y = new float[x.Length];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
                y[(j * rows) + i] = x[(i * columns) + j];
        }

        return y;
    }
}
