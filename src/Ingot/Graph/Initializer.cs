namespace Ingot.Graphs;

/// <summary>How a parameter starts.</summary>
public abstract record Initializer
{
    /// <summary>All zeros.</summary>
    public static Initializer Zeros { get; } = new Constant(0);

    /// <summary>All ones.</summary>
    public static Initializer Ones { get; } = new Constant(1);

    /// <summary>The same value everywhere.</summary>
    public sealed record Constant(double Value) : Initializer;

    /// <summary>Independent draws from a normal distribution with mean 0.</summary>
    public sealed record Normal(double StandardDeviation) : Initializer;

    /// <summary>Independent draws, all equally likely, from -bound to bound.</summary>
    public sealed record Uniform(double Bound) : Initializer;
}

/// <summary>A parameter as a model declares it.</summary>
/// <param name="Name">Its name in the model's file.</param>
/// <param name="Shape">Length of each dimension.</param>
/// <param name="Initializer">How it starts.</param>
public sealed record ParameterInfo(string Name, IReadOnlyList<long> Shape, Initializer Initializer)
{
    /// <summary>Number of elements.</summary>
    public long Elements => Tensor.Product(Shape);
}
