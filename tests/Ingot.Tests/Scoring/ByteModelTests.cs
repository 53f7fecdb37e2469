using Ingot.Bindings;
using Ingot.Scoring;
using NUnit.Framework;

namespace Ingot.Tests.Scoring;

/// <summary>Tests of a likelihood model of 24 positions, beside the same model in double precision.</summary>
public abstract class ByteModelTests : FolderTests
{
    // fp32 logits of a small model are right to about 1e-5 for a token; so is a mean of their losses.
    private protected const double Tolerance = 2e-5;

    private protected ByteModel Bytes { get; private set; } = null!;

    private protected LikelihoodModel Model { get; private set; } = null!;

    [SetUp]
    public void Load()
    {
        Bytes = new ByteModel(In("model"), positions: 24);
        Model = LikelihoodModel.Load(Bytes.Folder, Device.Cpu, batchSize: 3);
    }

    [TearDown]
    public void Free() => Model.Dispose();
}
