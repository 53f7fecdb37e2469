using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Graphs.Ops;
using NUnit.Framework;

namespace Ingot.Tests.Graphs;

/// <summary>The head in chunks of rows is the head as a whole.</summary>
public sealed class HeadTests
{
    private const int Rows = 11, Width = 24, Vocabulary = 37;

    [TestCase(DType.F32, 1e-6)]
    [TestCase(DType.Bf16, 1e-2)]
    public void ChunksChangeNothing(DType dtype, double tolerance)
    {
        var whole = Run(dtype, chunkRows: Rows);
        foreach (var rows in new[] { 1, 3, 4, 10 })
        {
            var (loss, gradients) = Run(dtype, rows);
            Assert.That(loss, Is.EqualTo(whole.Loss).Within(100 * tolerance).Percent, $"{rows} rows");
            foreach (var (name, expected) in whole.Gradients)
            {
                var error = Math.Sqrt(gradients[name].Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => (double)e * e));
                Assert.That(error, Is.LessThan(tolerance), $"{name}, {rows} rows");
            }
        }
    }

    [Test]
    public void ChunksSaveTheLogitsOfTheWholeBatch()
    {
        long Arena(long rows) => CompiledGraph.Prepare(Write(DType.F32, rows), new CompileOptions { Train = true }).ArenaBytes;
        Assert.That(Arena(Rows) - Arena(1), Is.GreaterThan((Rows - 2) * Vocabulary * 4));
    }

    [Test]
    public void LogitsLieInWholeLinesWithinTheirLimit()
    {
        var graph = Write(DType.F32, chunkRows: 0);
        // Rows of 37 numbers take the room of 64; four of them fit.
        CompiledGraph.Prepare(graph, new CompileOptions { Train = true, HeadBytes = 4 * 64 * 4 });
        var logits = graph.Calls.Where(c => c.Op == Head.CrossEntropyOp).Select(c => c["logits"]).ToList();
        Assert.That(logits.Select(t => t.Shape[0]), Is.EqualTo(new long[] { 4, 4, 3 }));
        Assert.That(logits.Select(t => t.Strides[0]), Is.All.EqualTo(64));
    }

    [Test]
    public void Tf32IsAllowedToEveryMatmulOrNone([Values] bool tf32)
    {
        var graph = Write(DType.F32, chunkRows: 4);
        CompiledGraph.Prepare(graph, new CompileOptions { Train = true, Tf32 = tf32 });
        var matmuls = graph.Calls.Where(c => c.Op == Linear.MatMulOp).ToList();
        Assert.That(matmuls, Has.Count.GreaterThan(9));
        Assert.That(matmuls.Select(c => c.Integer("tf32") != 0), Is.All.EqualTo(tf32));
    }

    private static (double Loss, Dictionary<string, float[]> Gradients) Run(DType dtype, long chunkRows)
    {
        var graph = Write(dtype, chunkRows);
        using var store = new ParameterStore(Device.Cpu, graph.Parameters, dtype, training: true);
        store.Initialize(1);
        using var program = CompiledGraph.Compile(graph, store, new CompileOptions { Train = true });
        var targets = program.Values<int>("targets");
        for (var i = 0; i < Rows; i++)
            (targets[i], program.Values<int>("tokens")[i]) = (i == 5 ? -100 : i * 3 % Vocabulary, i % 7);
        program.Values<float>("scale")[0] = 0.1f;
        program.Run();
        return (program.Values<float>("loss")[0], store.Parameters.ToDictionary(p => p.Name, p => store.View(store.Gradients!, p.Name).ToArray()));
    }

    private static Graph Write(DType dtype, long chunkRows)
    {
        var graph = new Graph(dtype);
        var table = graph.Parameter("table", [Vocabulary, Width], new Initializer.Normal(1));
        var x = Linear.Apply(Embedding.Apply(graph.Input("tokens", DType.I32, Rows), table), Width, "hidden", new Initializer.Normal(0.2));
        var scale = graph.Input("scale", DType.F32, 1);
        var losses = Head.CrossEntropy(x, table.Transposed(), graph.Input("targets", DType.I32, Rows), scale, labelSmoothing: 0.1,
            chunkRows: chunkRows, bias: graph.Parameter("bias", [Vocabulary], new Initializer.Normal(1)));
        var loss = graph.Place(StorageKind.Output, "loss", DType.F32, 1);
        graph.Emit(Elementwise.ReduceSumOp, [losses, scale, loss]);
        graph.Output("loss", loss);
        return graph;
    }
}
