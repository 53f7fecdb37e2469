using Ingot.Bindings;
using Ingot.Graphs;
using Ingot.Models.Gpt2;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>A long run takes no more memory than a short one.</summary>
public sealed class SteadyStateTests : RunTests
{
    [Test]
    public void MemoryStaysFlat()
    {
        var managed = new List<long>();
        var resident = new List<long>();
        var listener = new Listener
        {
            EachStep = step =>
            {
                if (step.Step % 1000 != 0)
                    return;
                managed.Add(GC.GetTotalMemory(forceFullCollection: true));
                resident.Add(Environment.WorkingSet);
            },
        };

        // With everything that a run does now and then.
        Train(Tiny() with
        {
            MaxSteps = 8000,
            LoggingSteps = 100,
            EvalSteps = 100,
            SaveSteps = 200,
            SamplePrompts = ["the "],
            SampleSteps = 100,
            SampleMaxNewTokens = 20,
        }, listener);

        // In the first half the runtime still compiles what turns out to be used much.
        Assert.That(managed, Has.Count.EqualTo(8));
        Assert.That(managed[7] - managed[3], Is.LessThan(200_000), string.Join(" ", managed));
        Assert.That(resident[7] - resident[3], Is.LessThan(4L << 20), string.Join(" ", resident));
    }

    [Test]
    public void AStepAllocatesNothing()
    {
        var model = new Gpt2Config { VocabSize = 11, Positions = 8, Embedding = 16, LayerCount = 2, Heads = 2, Dropout = 0.1 };
        using var parameters = new ParameterStore(Device.Cpu, model.DeclareParameters(), DType.F32, training: true);
        parameters.Initialize(1);
        using var step = new TrainingStep(model, parameters, new TrainingStepOptions { Batch = 1, Length = 8 });
        int[] tokens = [.. Enumerable.Range(0, 16).Select(i => i % 11)];
        for (var i = 0; i < 100; i++)
            step.Run(tokens, tokens, i, 1e-4);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            step.Run(tokens, tokens, i, 1e-4);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
