namespace Ingot.Data.Preparation;

/// <summary>How far a preparation has come.</summary>
/// <param name="Bytes">Bytes of the input files, as they lie on the disk, that are done.</param>
/// <param name="TotalBytes">Bytes of all input files.</param>
/// <param name="FirstBytes">Bytes that were done when this process began: 0, or more if it goes on with what another began.</param>
/// <param name="Records">Records that are done.</param>
/// <param name="RecordBytes">Bytes of these records, unpacked.</param>
/// <param name="Kept">Documents that were kept.</param>
public readonly record struct PreparationProgress(
    long Bytes, long TotalBytes, long FirstBytes, long Records, long RecordBytes, long Kept);
