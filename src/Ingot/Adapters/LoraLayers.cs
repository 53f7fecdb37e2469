using System.Runtime.InteropServices;
using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using Ingot.Models;

namespace Ingot.Adapters;

/// <summary>A linear layer of a model.</summary>
/// <param name="Name">Its name: that of its weight without ".weight".</param>
/// <param name="Inputs">Number of inputs.</param>
/// <param name="Outputs">Number of outputs.</param>
/// <param name="IsInOut">Whether its weight lies as [inputs, outputs], as GPT-2's do; PEFT calls it fan_in_fan_out.</param>
/// <param name="IsAdapted">Whether the adapter works on it.</param>
public sealed record LoraLayer(string Name, long Inputs, long Outputs, bool IsInOut, bool IsAdapted);

/// <summary>Writes the linear layers of a model down with the adapter beside their weights.</summary>
internal sealed class LoraLayers(LoraConfig config, ForwardContext context) : ILinearAdapter
{
    /// <summary>End of the names of the adapter's parameters.</summary>
    public const string A = ".lora_A.weight", B = ".lora_B.weight", Magnitude = ".lora_magnitude_vector";

    private readonly List<LoraLayer> _layers = [];

    /// <summary>The linear layers that were written down so far.</summary>
    public IReadOnlyList<LoraLayer> All => _layers;

    /// <summary>Whether a parameter belongs to an adapter.</summary>
    public static bool IsAdapter(string parameter) => parameter.EndsWith(A, StringComparison.Ordinal)
        || parameter.EndsWith(B, StringComparison.Ordinal) || parameter.EndsWith(Magnitude, StringComparison.Ordinal);

    /// <inheritdoc/>
    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias)
    {
        var g = x.Graph;
        var (inputs, outputs) = (weight.Shape[0], weight.Shape[1]);
        var adapted = config.IsTarget(g.CurrentScope);
        _layers.Add(new LoraLayer(g.CurrentScope, inputs, outputs, weight.Strides[1] == 1, adapted));
        if (!adapted)
            return Linear.Apply(x, weight, bias);

        // As PyTorch's Linear starts: kaiming_uniform with a = √5. B is zero, so that the model starts as it was.
        var a = g.Parameter("lora_A.weight", [config.Rank, inputs], new Initializer.Uniform(1 / Math.Sqrt(inputs)));
        var b = g.Parameter("lora_B.weight", [outputs, config.Rank], Initializer.Zeros);
        var low = Linear.MatMul(context.Dropout(x, config.Dropout), a.Transposed());
        var added = Linear.MatMul(Scaled(low), b.Transposed());
        if (!config.UseDora)
            return Linear.Apply(x, weight, bias) + added;
        var magnitude = g.Parameter("lora_magnitude_vector", [outputs], Initializer.Ones);
        var factors = magnitude * Elementwise.Cast(InverseNorms(weight, a, b), g.ComputeType);
        return Linear.AddBias((Linear.MatMul(x, weight) + added) * Broadcast.Rows(factors, x.Shape[0]), bias);
    }

    private Tensor Scaled(Tensor x) => config.Scaling == 1 ? x : Elementwise.Scale(x, config.Scaling);

    /// <summary>1 / ‖W + s · B · A‖ of each output, [outputs] in F32; constant in the gradient (Liu et al. 2024, section 4.3).</summary>
    private Tensor InverseNorms(Tensor weight, Tensor a, Tensor b)
    {
        var g = weight.Graph;
        var adapted = Views.Contiguous(weight.Detached().Transposed()) + Scaled(Linear.MatMul(b.Detached(), a.Detached()));
        // An RMSNorm of the rows knows 1 / √(mean of squares); what it writes besides is not used.
        var rstd = Norm.InverseRms(adapted);
        return Elementwise.Scale(rstd, 1 / Math.Sqrt(weight.Shape[0]));
    }
}
